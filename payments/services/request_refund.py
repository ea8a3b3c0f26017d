"""Begin to give back what was captured of a payment, all of it or a part."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from payments import store
from payments.errors import (
    NothingToRefundError,
    PaymentDisputedError,
    PaymentNotFoundError,
    RefundTooLargeError,
)
from payments.models import Dispute, Payment, Refund
from payments.sagas import start_refund
from payments.states import DisputeStatus, RefundSource
from payments.store import NewRefund
from payments.tenders import Tender
from resilience.ids import new_id


def request_refund(
    *, client: str, payment_id: UUID, amount_minor: int | None, reason: str, now: datetime
) -> Refund:
    """Reserve the amount (None: all that is left) and start the saga that gives it back, in one transaction.

    Raises PaymentNotFoundError, and, having written nothing, NothingToRefundError, RefundTooLargeError and
    PaymentDisputedError.
    """
    with transaction.atomic():
        if not Payment.objects.filter(client=client, pk=payment_id).exists():
            raise PaymentNotFoundError(f"There is no payment {payment_id}.")
        tender = store.lock_payments([payment_id])[payment_id]
        amount = _refundable(tender, amount_minor)
        refund_id = new_id()
        store.reserve_refunds(
            [NewRefund(refund_id, payment_id, amount, RefundSource.REQUEST, reason)], now=now
        )
        start_refund(refund_id, payment_id, now)
        return Refund.objects.get(pk=refund_id)


def _refundable(tender: Tender, wanted_minor: int | None) -> int:
    left_minor = tender.captured_minor - tender.refunded_minor - tender.refund_reserved_minor
    if left_minor == 0:
        raise NothingToRefundError(
            f"Nothing is left to refund of this payment: captured {tender.captured_minor}, refunded "
            f"{tender.refunded_minor}, being refunded {tender.refund_reserved_minor}."
        )
    if wanted_minor is not None and wanted_minor > left_minor:
        raise RefundTooLargeError(
            f"At most {left_minor} of this payment can be refunded. Ask for that or less.", left=left_minor
        )
    # A refund beside a chargeback would give the money back twice.
    if Dispute.objects.filter(payment_id=tender.id).exclude(status=DisputeStatus.WON).exists():
        raise PaymentDisputedError(
            "The payer disputes this payment and has the money back. Answer the dispute at the gateway."
        )
    return left_minor if wanted_minor is None else wanted_minor
