"""What a gateway's answer to a refund means. Pure."""

from datetime import datetime, timedelta

from payments import events
from payments.gateways.base import Declined, Processing, Succeeded
from payments.states import OperationOutcome, Phase, RefundStatus
from payments.steps.exchange import Exchange
from payments.steps.meaning import Meaning, change_of, settled
from payments.store import OperationChange, RefundChange
from resilience.saga.outcomes import Done, Refused, Waiting

# A bank transfer back takes days; the gateway ends it by itself.
REFUND_LOOKS = timedelta(days=1)
REFUND_POLL_S_MAX = 300.0


def interpret_refund(
    exchange: Exchange, answer: Succeeded | Processing | Declined, *, now: datetime
) -> Meaning | None:
    """Return what `answer` means for the refund of `exchange`; None when it is about another amount."""
    match answer:
        case Succeeded(amount_minor=amount_minor) if amount_minor != exchange.operation.amount_minor:
            return None
        case Succeeded(reference):
            return _made(exchange, reference)
        case Processing(reference):
            # The gateway has it and will end it: nothing is in doubt, and nothing is to be sent again.
            taken_up = OperationChange(exchange.operation.id, Phase.SENT, reference=reference)
            waiting = Waiting("the gateway works on it", now + REFUND_LOOKS, REFUND_POLL_S_MAX)
            return Meaning(waiting, (taken_up,), change_of(exchange.tender, exchange.tender.status))
        case Declined():
            return _refused(exchange, answer)


def _made(exchange: Exchange, reference: str) -> Meaning:
    tender, operation = exchange.tender, exchange.operation
    assert operation.refund_id is not None, "a refund operation has its refund"  # noqa: S101
    amount_minor = operation.amount_minor
    return Meaning(
        Done(),
        (settled(operation.id, OperationOutcome.SUCCEEDED, reference=reference),),
        change_of(tender, tender.status, refunded_delta=amount_minor, reserved_delta=-amount_minor),
        RefundChange(operation.refund_id, RefundStatus.PENDING, RefundStatus.SUCCEEDED, reference),
        events.PaymentRefunded(
            tender.id, tender.order_id, amount_minor, tender.currency, tender.gateway, operation.refund_id
        ),
    )


def _refused(exchange: Exchange, answer: Declined) -> Meaning:
    tender, operation = exchange.tender, exchange.operation
    assert operation.refund_id is not None, "a refund operation has its refund"  # noqa: S101
    end = settled(
        operation.id,
        OperationOutcome.DECLINED,
        reference=answer.reference,
        error=f"{answer.code}: {answer.message}",
    )
    return Meaning(
        Refused(answer.code),
        (end,),
        change_of(tender, tender.status, reserved_delta=-operation.amount_minor),
        RefundChange(
            operation.refund_id,
            RefundStatus.PENDING,
            RefundStatus.FAILED,
            answer.reference,
            failure_code=answer.code,
        ),
        events.PaymentRefundFailed(
            tender.id,
            tender.order_id,
            operation.amount_minor,
            tender.currency,
            tender.gateway,
            operation.refund_id,
            answer.code,
            came_back=False,
        ),
    )
