"""All that Stripe's objects say of one charge, in our words. Pure; the calls are in `stripe.py`.

The danger: a state that we do not know, taken for one that we do. Here it raises UnusableError.
"""

from collections.abc import Iterable
from uuid import UUID

from payments.gateways.base import ChargeState, Observation, SeenDispute, SeenRefund
from payments.gateways.stripe_amounts import UnevenAmountError, iso_units
from payments.gateways.stripe_fields import (
    Object,
    UnusableError,
    capture_before_of,
    part,
    required_id,
    required_int,
    required_moment,
    text,
)
from payments.states import DisputeStatus

_STATES = {
    "requires_confirmation": ChargeState.OPEN,
    "requires_action": ChargeState.OPEN,
    "processing": ChargeState.OPEN,
    "requires_capture": ChargeState.AUTHORIZED,
    "succeeded": ChargeState.CAPTURED,
    "canceled": ChargeState.ENDED,
}
_REFUND_STATUSES = {
    "pending": "pending",
    "requires_action": "pending",
    "succeeded": "succeeded",
    "failed": "failed",
    "canceled": "failed",
}
# An appeal is not decided. A status that is new to us is not an end.
_DISPUTE_ENDS = {"won": DisputeStatus.WON, "lost": DisputeStatus.LOST}
# An inquiry takes no money until it becomes a dispute, under the same id and with another status; a dispute
# that was prevented never took any. What moves no money is not booked, so it is not seen.
_INQUIRY_PREFIX = "warning_"
_PREVENTED = "prevented"


def observation_of(
    reference: str, intent: object, refunds: Iterable[Object], disputes: Iterable[Object]
) -> Observation:
    """Return what Stripe shows of `reference`. Raises UnusableError."""
    if (
        not isinstance(intent, dict)
        or intent.get("object") != "payment_intent"
        or intent.get("id") != reference
    ):
        raise UnusableError("the gateway shows another payment")
    currency = currency_of(intent)
    metadata = part(intent, "metadata")
    return Observation(
        reference=reference,
        state=_state_of(intent),
        amount_minor=amount_of(intent, "amount"),
        captured_minor=amount_of(intent, "amount_received"),
        currency=currency,
        payment_id=_uuid_of(text(metadata, "payment_id")),
        key=text(metadata, "operation_key"),
        refunds=tuple(_seen_refund(refund) for refund in refunds),
        disputes=tuple(_seen_dispute(dispute) for dispute in disputes if _takes_money(dispute)),
        capture_before=capture_before_of(intent),
    )


def currency_of(body: Object) -> str:
    """Return the ISO code of the object's currency. Raises UnusableError."""
    code = text(body, "currency").upper()
    if not (len(code) == 3 and code.isascii() and code.isalpha()):
        raise UnusableError("the gateway's currency is no currency")
    return code


def amount_of(body: Object, field: str) -> int:
    """Return an amount in ISO minor units of the object's currency. Raises UnusableError."""
    try:
        return iso_units(required_int(body, field), currency_of(body))
    except UnevenAmountError as error:
        raise UnusableError(f"the gateway's {field} is not whole: {error}") from error


def _state_of(intent: Object) -> ChargeState:
    status = text(intent, "status")
    if status == "requires_payment_method":
        # After a refusal nothing can come of it any more: nobody is given the means to try again.
        return ChargeState.ENDED if part(intent, "last_payment_error") else ChargeState.OPEN
    if status not in _STATES:
        raise UnusableError(f"the gateway's status is {status[:80]!r}")
    return _STATES[status]


def _seen_refund(refund: Object) -> SeenRefund:
    status = text(refund, "status")
    if status not in _REFUND_STATUSES:
        raise UnusableError(f"the gateway's status of a refund is {status[:80]!r}")
    return SeenRefund(
        reference=required_id(refund),
        key=text(part(refund, "metadata"), "operation_key"),
        amount_minor=amount_of(refund, "amount"),
        status=_REFUND_STATUSES[status],
        created_at=required_moment(refund, "created"),
        failure_code=text(refund, "failure_reason"),
    )


def _takes_money(dispute: Object) -> bool:
    status = text(dispute, "status")
    return status != _PREVENTED and not status.startswith(_INQUIRY_PREFIX)


def _seen_dispute(dispute: Object) -> SeenDispute:
    return SeenDispute(
        reference=required_id(dispute),
        amount_minor=amount_of(dispute, "amount"),
        currency=currency_of(dispute),
        reason=text(dispute, "reason"),
        status=_DISPUTE_ENDS.get(text(dispute, "status"), DisputeStatus.OPEN),
        opened_at=required_moment(dispute, "created"),
    )


def _uuid_of(written: str) -> UUID | None:
    try:
        return UUID(written)
    except ValueError:
        return None
