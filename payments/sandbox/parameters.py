"""Reading and refusing request parameters, with Stripe's words."""

import re
from collections.abc import Collection
from typing import Any

from .errors import ApiError, invalid
from .forms import Form
from .methods import raw_card_number

# Stripe's limits: amounts have up to eight digits; metadata 50 pairs of 40 and 500 characters.
AMOUNT_MAX = 99_999_999
METADATA_PAIRS_MAX = 50
METADATA_KEY_MAX = 40
METADATA_VALUE_MAX = 500
TEXT_MAX = 5_000


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


CREATE = _words(
    "allowed_payment_method_types amount amount_details application_fee_amount automatic_payment_methods"
    " capture_method confirm confirmation_method confirmation_token currency customer customer_account"
    " description error_on_requires_action excluded_payment_method_types expand hooks mandate mandate_data"
    " metadata off_session on_behalf_of payment_details payment_method payment_method_configuration"
    " payment_method_data payment_method_options payment_method_types radar_options receipt_email return_url"
    " setup_future_usage shipping statement_descriptor statement_descriptor_suffix transfer_data"
    " transfer_group use_stripe_sdk"
)
CONFIRM = _words(
    "allowed_payment_method_types amount_details amount_to_confirm capture_method confirmation_token"
    " error_on_requires_action excluded_payment_method_types expand hooks mandate mandate_data off_session"
    " payment_details payment_method payment_method_data payment_method_options payment_method_types"
    " radar_options receipt_email return_url setup_future_usage shipping use_stripe_sdk"
)
CAPTURE = _words(
    "amount_details amount_to_capture application_fee_amount expand final_capture hooks metadata"
    " payment_details statement_descriptor statement_descriptor_suffix transfer_data"
)
CANCEL = frozenset({"cancellation_reason", "expand"})
REFUND = _words(
    "amount charge currency customer expand instructions_email metadata origin payment_intent reason"
    " refund_application_fee reverse_transfer"
)
RETRIEVE = frozenset({"expand", "client_secret"})
LIST = frozenset({"created", "ending_before", "expand", "limit", "starting_after"})
SEARCH = frozenset({"expand", "limit", "page", "query"})

# What Stripe charges in (docs.stripe.com/currencies).
CURRENCIES = _words(
    "usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn bzd cad"
    " cdf chf clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd hnl"
    " htg huf idr ils inr isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd"
    " mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd"
    " rub rwf sar sbd scr sek sgd shp sle sos srd std szl thb tjs tnd top try ttd twd tzs uah ugx uyu uzs vnd"
    " vuv wst xaf xcd xcg xof xpf yer zar zmw"
)

# Amounts that Stripe takes only in steps. Of three decimals the last must be 0, as the card networks have
# two; isk and ugx have none, and keep two for the sake of old integrations.
_STEPS = {**dict.fromkeys(("bhd", "jod", "kwd", "omr", "tnd"), 10), **dict.fromkeys(("isk", "ugx"), 100)}

_INTEGER = re.compile(r"-?\d{1,18}")


def refuse_unknown(form: Form, known: Collection[str]) -> None:
    """Raise for the first parameter that the operation does not have, and for card data."""
    for name in form:
        if name in ("card", "source") and name not in known:
            raise raw_card_number()
        if name not in known:
            raise invalid(f"Received unknown parameter: {name}", param=name, code="parameter_unknown")
    if "payment_method_data" in form or "confirmation_token" in form:
        raise raw_card_number()


def required_text(form: Form, name: str) -> str:
    """Return a text that must be there."""
    value = text(form, name)
    if value is None:
        raise invalid(f"Missing required param: {name}.", param=name, code="parameter_missing")
    return value


def text(form: Form, name: str) -> str | None:
    """Return a text, or None if it is absent or empty."""
    value = form.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise invalid("Invalid string", param=name)
    if len(value) > TEXT_MAX:
        raise invalid(f"Invalid string: must be at most {TEXT_MAX} characters", param=name)
    return value


def integer(form: Form, name: str) -> int | None:
    """Return an integer, or None if it is absent or empty."""
    value = text(form, name)
    if value is None:
        return None
    if not _INTEGER.fullmatch(value):
        raise invalid(f"Invalid integer: {value[:80]}", param=name, code="parameter_invalid_integer")
    return int(value)


def amount(form: Form, name: str) -> int | None:
    """Return an amount in minor units, or None if it is absent."""
    value = integer(form, name)
    if value is None:
        return None
    if value < 1:
        raise invalid(
            "This value must be greater than or equal to 1.", param=name, code="parameter_invalid_integer"
        )
    if value > AMOUNT_MAX:
        raise invalid("Amount must be no more than $999,999.99", param=name, code="amount_too_large")
    return value


def refuse_uneven(amount: int | None, *, currency: str, param: str) -> None:
    """Raise for an amount that `currency` has no coins for."""
    step = _STEPS.get(currency, 1)
    if amount is not None and amount % step:
        raise invalid(
            f"Invalid amount: {amount}. Amounts in {currency} must be evenly divisible by {step}.",
            param=param,
            code="invalid_charge_amount",
        )


def boolean(form: Form, name: str) -> bool:
    """Return a boolean that is false when absent."""
    value = text(form, name)
    if value not in (None, "true", "false"):
        raise invalid(f"Invalid boolean: {value[:80]}", param=name)
    return value == "true"


def choice(form: Form, name: str, allowed: Collection[str]) -> str | None:
    """Return one of `allowed`, or None if it is absent."""
    value = text(form, name)
    if value is not None and value not in allowed:
        *most, last = sorted(allowed)
        raise invalid(f"Invalid {name}: must be one of {', '.join(most)}, or {last}", param=name)
    return value


def currency(form: Form) -> str:
    """Return the required currency, in lower case as Stripe shows it."""
    value = required_text(form, "currency").lower()
    if value not in CURRENCIES:
        raise invalid(
            f"Invalid currency: {value[:80]}. Stripe currently supports these currencies:"
            f" {', '.join(sorted(CURRENCIES))}",
            param="currency",
        )
    return value


def metadata(form: Form) -> dict[str, str]:
    """Return the metadata; empty values, with which Stripe deletes a key, are in it."""
    value = form.get("metadata")
    if value is None or value == "":
        return {}
    if not isinstance(value, dict):
        raise invalid("Invalid object", param="metadata")
    if len(value) > METADATA_PAIRS_MAX:
        raise invalid(f"Metadata can have up to {METADATA_PAIRS_MAX} keys.", param="metadata")
    for key, item in value.items():
        _check_metadata(key, item)
    return value


def _check_metadata(key: str, value: Any) -> None:
    param = f"metadata[{key[:METADATA_KEY_MAX]}]"
    if not isinstance(value, str):
        raise invalid("Metadata values must be strings.", param=param)
    if len(key) > METADATA_KEY_MAX:
        raise invalid(f"Metadata keys must be at most {METADATA_KEY_MAX} characters.", param=param)
    if len(value) > METADATA_VALUE_MAX:
        raise invalid(f"Metadata values must be at most {METADATA_VALUE_MAX} characters.", param=param)


def refuse_long_key(key: str | None) -> None:
    """Raise for an idempotency key that Stripe would not take."""
    if key is not None and not 0 < len(key) <= 255:
        raise ApiError(
            status=400,
            type="idempotency_error",
            message="Idempotency keys must be between 1 and 255 characters long.",
        )
