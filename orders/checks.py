"""Times of orders that have to fit those of their payers.

The danger: a placement that is given up while its payer may still pay. Its stock is sold to somebody else,
and the money comes for an order that is gone.
"""

from collections.abc import Sequence

from django.apps import AppConfig
from django.core.checks import CheckMessage, register

from orders import sagas
from payments import public
from resilience.checks.rules import Rule, broken


def _is_outlasted(method_type: public.MethodType) -> bool:
    """Tell whether a payer who acts at the last moment is still waited for."""
    tender = public.TenderDraft("pm_any", 1, method_type)
    lasts = sagas.PLACE_ORDER.lasts_at_most + public.time_to_pay(tenders=[tender])
    return lasts > public.payer_may_take(method_type=method_type)


_RULES = (
    Rule(
        id="holdfast.E050",
        holds=lambda: all(_is_outlasted(method_type) for method_type in public.MethodType),
        danger="An order is given up, and its stock with it, while its payer may still pay.",
        remedy="Let PLACE_ORDER.lasts_at_most (orders/sagas.py) and time_to_pay (payments/public.py) outlast"
        " payer_may_take of every method type.",
    ),
)


@register()
def check_orders(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """Check that stock is held for as long as payers have time (holdfast.E050)."""
    return broken(_RULES)
