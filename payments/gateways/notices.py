"""What a notice of a gateway says, and of which charge: the shape of Stripe's events."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from resilience.rest.card_numbers import holds_card_number
from resilience.rest.errors import CardNumberRefused, FieldError, invalid_field

EVENT_ID_CHARS_MAX = 255
TYPE_CHARS_MAX = 128
REFERENCE_CHARS_MAX = 255
# 9999-12-31, the last day that a datetime holds.
_SECONDS_MAX = 253_402_214_400

# Every type that begins so is about a charge, and is looked into.
FAMILIES = ("payment_intent.", "charge.", "refund.")
# The types worth a delivery, for the settings of an account at the gateway and the admin's filter.
TYPES = (
    "charge.dispute.closed",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.refunded",
    "payment_intent.amount_capturable_updated",
    "payment_intent.canceled",
    "payment_intent.payment_failed",
    "payment_intent.processing",
    "payment_intent.requires_action",
    "payment_intent.succeeded",
    "refund.created",
    "refund.failed",
    "refund.updated",
)


@dataclass(frozen=True)
class Notice:
    """One event. `reference` is the gateway's id of the charge, as a payment has it; "" for none."""

    event_id: str
    type: str
    reference: str
    created_at: datetime | None


def read_notice(document: Mapping[str, object]) -> Notice:
    """Return what `document` is; raises InvalidRequest when it has not the shape of an event."""
    event_id = _text(document, "id", chars_max=EVENT_ID_CHARS_MAX)
    type_ = _text(document, "type", chars_max=TYPE_CHARS_MAX)
    return Notice(
        event_id=event_id,
        type=type_,
        reference=_reference(type_, subject_of(document)),
        created_at=_moment(document.get("created")),
    )


def subject_of(document: Mapping[str, object]) -> Mapping[str, object]:
    """Return the object that an event is about; raises InvalidRequest when there is none."""
    data = document.get("data")
    subject = data.get("object") if isinstance(data, Mapping) else None
    if not isinstance(subject, Mapping):
        raise invalid_field("/data/object", code="invalid_type", detail="Must be an object.")
    return subject


def is_about_a_charge(type_: str) -> bool:
    """Tell whether events of this type are looked into."""
    return type_.startswith(FAMILIES)


def _text(document: Mapping[str, object], name: str, *, chars_max: int) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= chars_max:
        raise invalid_field(
            f"/{name}", code="invalid", detail=f"Must be text of 1 to {chars_max} characters."
        )
    if holds_card_number(value):
        raise CardNumberRefused(
            f"/{name}: This looks like a card number.",
            errors=[FieldError(f"/{name}", "card_number_refused", "This looks like a card number.")],
        )
    return value


def _reference(type_: str, subject: Mapping[str, object]) -> str:
    if not is_about_a_charge(type_):
        return ""
    value = subject.get("id" if type_.startswith("payment_intent.") else "payment_intent")
    if not isinstance(value, str) or len(value) > REFERENCE_CHARS_MAX or holds_card_number(value):
        return ""
    return value


def _moment(created: object) -> datetime | None:
    if type(created) is int and 0 <= created <= _SECONDS_MAX:
        return datetime.fromtimestamp(created, UTC)
    return None
