"""Times of payments that have to fit each other; one that does not charges somebody twice, or not at all."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, register

from payments.gateways.guarded import GuardedClient, breaker_name
from payments.gateways.routing import read_account
from payments.gateways.stripe_api import retries_by_itself
from payments.steps import authorize_payments, exchange
from resilience.breaker import is_name
from resilience.checks.rules import Rule, broken

# What Stripe promises; other gateways keep keys longer.
GATEWAYS_KEEP_KEYS = timedelta(hours=24)
# A conversation that begins just in time ends within its step's time limit, which is a fraction of this.
CONVERSATION_MAX = timedelta(minutes=1)
WATCH = "payments.watch_authorizations"
# Looks at a hold before it lapses: one that falls into an outage of workers is followed by others.
WATCHES_MIN = 4
# What an entry of HOLDFAST_GATEWAYS may say (.env.example); a word misspelt would be a rule that never holds.
ACCOUNT_WORDS = frozenset(
    {
        "name",
        "secret_key",
        "url",
        "return_url",
        "webhook_secrets",
        "currencies",
        "methods",
        "weight",
        "fails_over_on",
    }
)


def _watched_every() -> timedelta | None:
    """Return how far apart the looks at lapsing holds are; None when nobody looks."""
    schedule: dict[str, dict[str, Any]] = settings.CELERY_BEAT_SCHEDULE
    seconds = [entry["schedule"] for entry in schedule.values() if entry["task"] == WATCH]
    return timedelta(seconds=min(seconds)) if seconds else None


def _accounts_can_be_read() -> bool:
    """Tell whether each entry of GATEWAYS is an account: named once, with known words and sane values."""
    try:
        names = [read_account(setting).name for setting in settings.GATEWAYS]
    except (AttributeError, KeyError, TypeError, ValueError):
        return False
    return len(set(names)) == len(names) and all(
        is_name(breaker_name(setting["name"]))
        and isinstance(setting.get("secret_key"), str)
        and setting.keys() <= ACCOUNT_WORDS
        and isinstance(setting.get("weight", 1), int)
        and setting.get("weight", 1) >= 0
        for setting in settings.GATEWAYS
    )


_RULES = (
    Rule(
        id="holdfast.E043",
        holds=_accounts_can_be_read,
        danger="An account in HOLDFAST_GATEWAYS cannot be read: payments would go to others, or to none.",
        remedy="Name each account once, by letters, digits and . _ -, with a secret_key; other words: "
        f"{', '.join(sorted(ACCOUNT_WORDS))}.",
    ),
    Rule(
        id="holdfast.E040",
        holds=lambda: exchange.KEY_KEPT + CONVERSATION_MAX < GATEWAYS_KEEP_KEYS,
        danger="An operation is sent again under a key that its gateway has forgotten: it is done twice.",
        remedy="Set KEY_KEPT (payments/steps/exchange.py) below 24 hours less a minute.",
    ),
    Rule(
        id="holdfast.E041",
        holds=lambda: exchange.READS_LAG_MAX < exchange.KEY_KEPT,
        danger="No doubt can end by asking: a key is given up before an absence means anything.",
        remedy="Set READS_LAG_MAX below KEY_KEPT (payments/steps/exchange.py).",
    ),
    Rule(
        id="holdfast.E044",
        holds=lambda: not retries_by_itself(GuardedClient),
        danger="The gateway's SDK sends a request again under a saga that does: nine calls of one.",
        remedy="Leave stripe.max_network_retries at 0, and GuardedClient to send once (payments/gateways).",
    ),
    Rule(
        id="holdfast.E042",
        holds=lambda: (
            (every := _watched_every()) is not None and every * WATCHES_MIN <= authorize_payments.LAPSE_MARGIN
        ),
        danger="Holds lapse before anybody looks at them.",
        remedy=f"Schedule {WATCH} in CELERY_BEAT_SCHEDULE, several times within LAPSE_MARGIN.",
    ),
)


@register()
def check_payments(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """Check how long keys are kept and holds are watched (E040 to E042), accounts (E043), the SDK (E044)."""
    return broken(_RULES)
