"""Whether what is stored of a payment already says what a notice says. Pure.

Facts are ranked: a payment that has come further reflects everything before. Where a notice cannot be
compared with the payment alone (a dispute, a refund), the answer is no, which costs one look too many.
"""

from payments.gateways.stripe_amounts import UnevenAmountError, iso_units
from payments.notice_store import KnownPayment, OpenNotice
from payments.states import PaymentStatus

_RANK = {
    PaymentStatus.PENDING: 0,
    PaymentStatus.REQUIRES_ACTION: 1,
    PaymentStatus.PROCESSING: 2,
    PaymentStatus.AUTHORIZED: 3,
    PaymentStatus.CAPTURED: 4,
    PaymentStatus.DECLINED: 4,
    PaymentStatus.VOIDED: 4,
    PaymentStatus.REFUNDED: 5,
}
_HELD = _RANK[PaymentStatus.AUTHORIZED]
# Of notices that no money is held or taken, the least that a payment must have come to.
_REACHED = {
    "payment_intent.created": 0,
    "payment_intent.requires_action": 1,
    "payment_intent.processing": 2,
    "charge.pending": 2,
    # One attempt failed; whether the charge lives on, an open payment has to ask.
    "payment_intent.payment_failed": 3,
    "charge.failed": 3,
    # Fees and the like.
    "charge.updated": 3,
}
_LET_GO = frozenset({"payment_intent.canceled", "charge.expired"})
_TAKEN = frozenset({"payment_intent.succeeded", "charge.captured"})
_WITHOUT_MONEY = frozenset({PaymentStatus.DECLINED, PaymentStatus.VOIDED})


def reflects(payment: KnownPayment, notice: OpenNotice) -> bool:
    """Tell whether `payment` says as much as `notice`.

    Money of a charge that the payment does not know, or that came after its end, is never reflected: it
    has to go back.
    """
    is_own_charge = notice.reference == payment.reference
    if notice.type in _REACHED:
        return _RANK[payment.status] >= _REACHED[notice.type]
    if notice.type in _LET_GO:
        has_another = payment.reference != "" and not is_own_charge
        return payment.status in _WITHOUT_MONEY or has_another
    return is_own_charge and _knows_money(payment, notice)


def _knows_money(payment: KnownPayment, notice: OpenNotice) -> bool:
    if notice.type in _TAKEN or (
        notice.type == "charge.succeeded" and notice.subject.get("captured") is True
    ):
        return payment.captured_minor > 0
    if notice.type in ("charge.succeeded", "payment_intent.amount_capturable_updated"):
        return _RANK[payment.status] >= _HELD and payment.status is not PaymentStatus.DECLINED
    if notice.type == "charge.refunded":
        refunded_minor = _refunded_minor_of(notice)
        return refunded_minor is not None and payment.refunded_minor >= refunded_minor
    return False


def _refunded_minor_of(notice: OpenNotice) -> int | None:
    """Return how much was given back by then; None when the notice does not say it in our units."""
    units, currency = notice.subject.get("amount_refunded"), notice.subject.get("currency")
    if type(units) is not int or not isinstance(currency, str):
        return None
    try:
        return iso_units(units, currency.upper())
    except UnevenAmountError:
        return None
