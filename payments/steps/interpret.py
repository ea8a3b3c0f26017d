"""What a gateway's answer means: pure, so that every answer to every operation has a test.

An answer becomes a change of the operation, a change of the payment, a fact for the world, and
an outcome for the saga.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from payments import events
from payments.gateways.base import (
    Absent,
    ActionRequired,
    Declined,
    InDoubt,
    NotSent,
    Succeeded,
    Throttled,
)
from payments.states import OperationKind, OperationOutcome, PaymentStatus, Phase
from payments.steps.exchange import Answered, Exchange, Mode, NeverHappened
from payments.store import OperationChange, PaymentChange
from payments.tenders import Tender
from resilience.saga import outcomes
from resilience.saga.outcomes import Done, Failed, Outcome, Refused, Waiting

# How long a payer may take over 3-D Secure; stock is held for them meanwhile.
AUTHENTICATION_LASTS = timedelta(minutes=15)
# The adapter's word for "you want to void what has been captured" (payments/gateways/stripe.py).
ALREADY_CAPTURED = "already_captured"

Fact = (
    events.PaymentAuthorized
    | events.PaymentActionRequired
    | events.PaymentDeclined
    | events.PaymentCaptured
    | events.PaymentVoided
    | events.PaymentRefunded
)


@dataclass(frozen=True)
class Meaning:
    """What follows from one answer."""

    outcome: Outcome
    operations: tuple[OperationChange, ...] = ()
    payment: PaymentChange | None = None
    fact: Fact | None = None


def interpret(answered: Answered, *, now: datetime) -> Meaning:
    """Return what `answered` means. Raises nothing: each answer has a meaning for each operation."""
    exchange, answer = answered.exchange, answered.answer
    match answer:
        case Succeeded():
            return _succeeded(exchange, answer)
        case ActionRequired() if exchange.kind is OperationKind.AUTHORIZE:
            return _action_required(exchange, answer, now)
        case Declined():
            return _declined(exchange, answer)
        case NotSent(error) if exchange.mode is Mode.SEND:
            return _not_sent(exchange, Failed(error, spends_attempt=False))
        case Throttled(retry_after_s) if exchange.mode is Mode.SEND:
            turned_away = Failed("throttled", retry_after_s=retry_after_s, spends_attempt=False)
            return _not_sent(exchange, turned_away)
        case NotSent(error) | InDoubt(error):
            return _in_doubt(exchange, error, sent_at=_last_carried_out(answer, now))
        case Throttled(retry_after_s):
            return _in_doubt(exchange, "throttled", retry_after_s=retry_after_s)
        case Absent() | ActionRequired():
            # Neither says anything of this request: one is only an answer to look-ups, and only an
            # authorization waits for its payer.
            return _in_doubt(exchange, f"not an answer to {exchange.kind}: {type(answer).__name__}")
        case NeverHappened(error):
            return _never_happened(exchange, error)


def voided(tender: Tender) -> Meaning:
    """Return the meaning of ending a payment that never reached a gateway."""
    return Meaning(
        Done(),
        tuple(_settled(operation.id, OperationOutcome.ABANDONED) for operation in tender.live),
        _payment(tender, PaymentStatus.VOIDED),
        events.PaymentVoided(tender.id, tender.order_id),
    )


def _succeeded(exchange: Exchange, answer: Succeeded) -> Meaning:
    tender, operation = exchange.tender, exchange.operation
    if operation.kind is not OperationKind.VOID and answer.amount_minor != operation.amount_minor:
        return _in_doubt(exchange, f"the gateway says {answer.amount_minor}, not {operation.amount_minor}")
    settled = _settled(operation.id, OperationOutcome.SUCCEEDED, reference=answer.reference)
    money = (tender.id, tender.order_id, operation.amount_minor, tender.currency)
    match operation.kind:
        case OperationKind.AUTHORIZE:
            change = _payment(
                tender, PaymentStatus.AUTHORIZED, gateway=operation.gateway, reference=answer.reference
            )
            fact: Fact = events.PaymentAuthorized(*money, operation.gateway, answer.reference)
            return Meaning(Done(), (settled,), change, fact)
        case OperationKind.CAPTURE:
            change = _payment(tender, PaymentStatus.CAPTURED, captured_minor=tender.amount_minor)
            fact = events.PaymentCaptured(*money, tender.gateway, tender.reference)
            return Meaning(Done(), (settled,), change, fact)
        case OperationKind.VOID:
            others = _others(exchange, OperationOutcome.ABANDONED)
            fact = events.PaymentVoided(tender.id, tender.order_id)
            return Meaning(Done(), (settled, *others), _payment(tender, PaymentStatus.VOIDED), fact)
        case OperationKind.REFUND:
            refunded_minor = tender.refunded_minor + operation.amount_minor
            is_all = refunded_minor == tender.captured_minor
            status = PaymentStatus.REFUNDED if is_all else tender.status
            change = _payment(tender, status, refunded_minor=refunded_minor)
            return Meaning(Done(), (settled,), change, events.PaymentRefunded(*money))


def _action_required(exchange: Exchange, answer: ActionRequired, now: datetime) -> Meaning:
    tender = exchange.tender
    until = tender.action_until or now + AUTHENTICATION_LASTS
    if until <= now:
        return Meaning(Refused("authentication_timeout"))
    if tender.status is PaymentStatus.REQUIRES_ACTION:
        return Meaning(Waiting("the payer has to act", until))
    change = _payment(
        tender,
        PaymentStatus.REQUIRES_ACTION,
        gateway=exchange.operation.gateway,
        reference=answer.reference,
        action_url=answer.url,
        action_until=until,
    )
    operation = OperationChange(exchange.operation.id, Phase.SENT, reference=answer.reference)
    fact = events.PaymentActionRequired(tender.id, tender.order_id, answer.url)
    return Meaning(Waiting("the payer has to act", until), (operation,), change, fact)


def _declined(exchange: Exchange, answer: Declined) -> Meaning:
    tender = exchange.tender
    settled = _settled(
        exchange.operation.id,
        OperationOutcome.DECLINED,
        reference=answer.reference,
        error=f"{answer.code}: {answer.message}",
    )
    if exchange.kind is OperationKind.AUTHORIZE:
        change = _payment(tender, PaymentStatus.DECLINED, decline_code=answer.code)
        fact = events.PaymentDeclined(
            tender.id, tender.order_id, tender.amount_minor, tender.currency, answer.code
        )
        return Meaning(Refused(answer.code), (settled,), change, fact)
    if exchange.kind is OperationKind.VOID and answer.code == ALREADY_CAPTURED:
        # The capture that nobody heard the answer of did happen: the money goes back by refund.
        change = _payment(tender, PaymentStatus.CAPTURED, captured_minor=tender.amount_minor)
        money = (tender.id, tender.order_id, tender.amount_minor, tender.currency)
        captured = events.PaymentCaptured(*money, tender.gateway, tender.reference)
        return Meaning(
            Failed("captured meanwhile, to be refunded", spends_attempt=False),
            # Whatever else was asked for led up to the capture. Left live, it would be asked after.
            (settled, *_others(exchange, OperationOutcome.SUCCEEDED)),
            change,
            captured,
        )
    return Meaning(Refused(answer.code), (settled,), _payment(tender, tender.status))


def _not_sent(exchange: Exchange, outcome: Failed) -> Meaning:
    prepared = OperationChange(exchange.operation.id, Phase.PREPARED, error=outcome.error)
    return Meaning(outcome, (prepared,))


def _in_doubt(
    exchange: Exchange,
    error: str,
    *,
    retry_after_s: float | None = None,
    sent_at: datetime | None = None,
) -> Meaning:
    outcome = outcomes.InDoubt(error, retry_after_s)
    if exchange.tender.status is PaymentStatus.REQUIRES_ACTION:
        # The answer is known, the payer just has not acted: there is no doubt about money here.
        return Meaning(outcome)
    change = OperationChange(exchange.operation.id, Phase.IN_DOUBT, error=error, sent_at=sent_at)
    payment = _payment(exchange.tender, exchange.tender.status, is_in_doubt=True)
    return Meaning(outcome, (change,), payment)


def _last_carried_out(answer: NotSent | InDoubt, now: datetime) -> datetime | None:
    """Return now where the request may just have been carried out, so that reads may not show it yet."""
    return now if isinstance(answer, InDoubt) and not answer.is_stored else None


def _never_happened(exchange: Exchange, error: str) -> Meaning:
    abandoned = _settled(exchange.operation.id, OperationOutcome.ABANDONED, error=error)
    return Meaning(Failed(error), (abandoned,), _payment(exchange.tender, exchange.tender.status))


def _others(exchange: Exchange, outcome: OperationOutcome) -> tuple[OperationChange, ...]:
    """Settle what else is live of the same payment."""
    return tuple(
        _settled(other.id, outcome) for other in exchange.tender.live if other.id != exchange.operation.id
    )


def _settled(
    operation_id: object, outcome: OperationOutcome, *, reference: str = "", error: str = ""
) -> OperationChange:
    return OperationChange(operation_id, Phase.SETTLED, outcome, reference, error)  # type: ignore[arg-type]


def _payment(
    tender: Tender,
    status: PaymentStatus,
    *,
    captured_minor: int | None = None,
    refunded_minor: int | None = None,
    gateway: str = "",
    reference: str = "",
    action_url: str = "",
    action_until: datetime | None = None,
    decline_code: str = "",
    is_in_doubt: bool = False,
) -> PaymentChange:
    return PaymentChange(
        id=tender.id,
        expected=tender.status,
        status=status,
        captured_minor=tender.captured_minor if captured_minor is None else captured_minor,
        refunded_minor=tender.refunded_minor if refunded_minor is None else refunded_minor,
        gateway=gateway or tender.gateway,
        reference=reference or tender.reference,
        action_url=action_url,
        action_until=action_until,
        decline_code=decline_code,
        is_in_doubt=is_in_doubt,
    )
