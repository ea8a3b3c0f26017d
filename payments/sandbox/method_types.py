"""What kind of method a PaymentIntent takes, and what each kind cannot do."""

from typing import Any

from .errors import ApiError, invalid
from .forms import Form, items_of
from .methods import Method

# `voucher` is ours: it stands for gift cards and meal vouchers, which Stripe does not have.
_TYPES = ("boleto", "card", "voucher")
_CURRENCIES = {"boleto": "brl"}
_NEVER_HELD = frozenset({"boleto"})


def types_of(form: Form, *, currency: str, capture_method: str | None) -> list[str]:
    """Return `payment_method_types`. Raises ApiError for a kind that cannot be paid in this way."""
    types = items_of(form.get("payment_method_types"), param="payment_method_types") or ["card"]
    for type in types:
        if type not in _TYPES:
            raise invalid(
                f'The payment method type "{type[:80]}" is invalid. This sandbox knows {", ".join(_TYPES)}.',
                param="payment_method_types",
            )
        only = _CURRENCIES.get(type)
        if only is not None and currency != only:
            raise invalid(
                f"The currency provided ({currency}) is invalid. Payments with {type} support the following"
                f" currencies: {only}.",
                param="currency",
            )
        if type in _NEVER_HELD and capture_method == "manual":
            raise invalid(
                f"The payment method type {type} does not support `capture_method` manual: what is paid with"
                " it cannot be held first and captured later.",
                param="capture_method",
            )
    return types


def refuse_other_type(method: Method, details: dict[str, Any]) -> None:
    """Raise unless the intent, whose `details` these are, takes methods of this type."""
    types = details.get("payment_method_types", ["card"])
    if method.type not in types:
        raise ApiError(
            status=400,
            param="payment_method",
            message=f"The PaymentMethod provided ({method.type}) is not allowed for this PaymentIntent."
            f" Please attach a PaymentMethod of one of the following types: {', '.join(types)}."
            " Alternatively, update the allowed payment_method_types for this PaymentIntent to include"
            f' "{method.type}"',
        )
