"""Tell the world of facts, and book those that moved money: in the transaction of the change, always both."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from payments import events, store
from payments.ledger import facts as ledger
from payments.ledger.booking import Booking
from payments.ledger.posting import post
from payments.steps.meaning import Fact
from payments.store import Payer
from resilience import events as log

_BY_METHOD = (
    events.PaymentAuthorized,
    events.PaymentCaptured,
    events.PaymentDeclined,
    events.PaymentRefunded,
)


def tell(facts: Sequence[Fact], *, now: datetime) -> None:
    """Publish `facts` and post their bookings, if and only if the surrounding transaction commits."""
    if not facts:
        return
    payers = store.payers_of({fact.payment_id for fact in facts})
    log.append([_told(fact, payers[fact.payment_id]) for fact in facts], occurred_at=now)
    bookings = [booking for fact in facts for booking in bookings_of(fact, now=now)]
    if bookings:
        post(bookings, now=now)


def _told(fact: Fact, payer: Payer) -> log.Fact:
    """Return what is told of `fact`: whoever finds it out rarely knows the client or the kind of method."""
    if isinstance(fact, _BY_METHOD):
        fact = replace(fact, method_type=payer.method_type)
    return log.Fact(fact.payment_id, fact, payer.client)


def bookings_of(fact: Fact, *, now: datetime) -> tuple[Booking, ...]:
    """Return what `fact` books: nothing where no money moved."""
    match fact:
        case events.PaymentCaptured():
            return (
                ledger.captured(
                    payment_id=fact.payment_id,
                    order_id=fact.order_id,
                    gateway=fact.gateway,
                    amount_minor=fact.amount_minor,
                    currency=fact.currency,
                    occurred_at=now,
                ),
            )
        case events.PaymentRefunded():
            return (_of_refund(ledger.refunded, fact, now),)
        case events.PaymentRefundFailed(came_back=True):
            return (_of_refund(ledger.refund_failed, fact, now),)
        case events.PaymentDisputed():
            return (_of_dispute(ledger.dispute_opened, fact, now),)
        case events.PaymentDisputeClosed(outcome="won"):
            return (_of_dispute(ledger.dispute_won, fact, now),)
        case events.PaymentDisputeClosed():
            return (_of_dispute(ledger.dispute_lost, fact, now),)
    return ()


def _of_refund(
    booking: Callable[..., Booking], fact: events.PaymentRefunded | events.PaymentRefundFailed, now: datetime
) -> Booking:
    return booking(
        refund_id=fact.refund_id,
        payment_id=fact.payment_id,
        order_id=fact.order_id,
        gateway=fact.gateway,
        amount_minor=fact.amount_minor,
        currency=fact.currency,
        occurred_at=now,
    )


def _of_dispute(
    booking: Callable[..., Booking], fact: events.PaymentDisputed | events.PaymentDisputeClosed, now: datetime
) -> Booking:
    return booking(
        dispute_id=fact.dispute_id,
        payment_id=fact.payment_id,
        order_id=fact.order_id,
        gateway=fact.gateway,
        amount_minor=fact.amount_minor,
        currency=fact.currency,
        occurred_at=now,
    )
