"""Reads of payments. Whether a replica may answer is the caller's scope to say."""

from datetime import datetime
from uuid import UUID

from payments.models import Payment
from resilience.saga.query import next_due_of


def payment_of(client: str, payment_id: UUID) -> Payment | None:
    """Return a client's payment, None when it is nobody's or somebody else's."""
    return Payment.objects.filter(client=client, pk=payment_id).first()


def next_check_of(payment: Payment) -> datetime | None:
    """Return when the gateway will be asked about a payment in doubt; None without a doubt."""
    return next_due_of(payment.order_id) if payment.in_doubt_since else None
