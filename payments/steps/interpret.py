"""What a gateway's answer means: pure, so that every answer to every operation has a test.

An answer becomes a change of the operation, a change of the payment, a fact for the world, and
an outcome for the saga. Refunds have a module of their own (`interpret_refund`).
"""

from datetime import datetime, timedelta

from payments import events
from payments.gateways.base import (
    Absent,
    ActionRequired,
    ActionType,
    Declined,
    InDoubt,
    NotSent,
    Processing,
    Succeeded,
    Throttled,
)
from payments.states import OperationKind, OperationOutcome, PaymentStatus, Phase
from payments.steps.exchange import Answered, Exchange, Mode, NeverHappened
from payments.steps.interpret_refund import interpret_refund
from payments.steps.meaning import Fact, Meaning, change_of, others_settled, settled
from payments.store import OperationChange
from payments.tenders import Tender
from resilience.retry import Trouble
from resilience.saga import outcomes
from resilience.saga.outcomes import Done, Failed, Refused, Waiting

# How long a payer may take over 3-D Secure; stock is held for them meanwhile.
AUTHENTICATION_LASTS = timedelta(minutes=15)
# How long a slip may be paid where the gateway does not say.
SLIP_LASTS = timedelta(days=3)
# A slip that is paid on its last day is cleared on the next bank day, which may be three days later.
CLEARING_LASTS = timedelta(days=3)
# Whoever pays within days is looked at every few minutes at the longest; a webhook says it sooner.
DELAYED_POLL_S_MAX = 300.0
# A gateway that works on a payment ends it by itself: there is nothing to decide when this has passed.
PROCESSING_LASTS = timedelta(days=1)
# The adapter's word for "you want to void what has been captured" (payments/gateways/stripe.py).
ALREADY_CAPTURED = "already_captured"


def interpret(answered: Answered, *, now: datetime) -> Meaning:
    """Return what `answered` means. Raises nothing: each answer has a meaning for each operation."""
    evidence = None if isinstance(answered.answer, NeverHappened) else answered.answer.evidence
    return _interpret(answered, now).with_evidence(answered.exchange.operation.id, evidence)


def voided(tender: Tender) -> Meaning:
    """Return the meaning of ending a payment that never reached a gateway."""
    return Meaning(
        Done(),
        tuple(settled(operation.id, OperationOutcome.ABANDONED) for operation in tender.live),
        change_of(tender, PaymentStatus.VOIDED),
        fact=events.PaymentVoided(tender.id, tender.order_id),
    )


def _interpret(answered: Answered, now: datetime) -> Meaning:
    exchange = answered.exchange
    match answered.answer:
        case NotSent(error) if exchange.mode is Mode.SEND and _may_fail_over(exchange):
            return _failover(exchange, OperationOutcome.ABANDONED, error)
        case NotSent(error, retry_after_s) if exchange.mode is Mode.SEND:
            return _not_sent(exchange, Failed(error, retry_after_s, spends_attempt=False))
        case Throttled(retry_after_s) if exchange.mode is Mode.SEND:
            turned_away = Failed(
                "throttled", retry_after_s=retry_after_s, spends_attempt=False, trouble=Trouble.OVERLOAD
            )
            return _not_sent(exchange, turned_away)
        case NotSent(error, retry_after_s):
            return _in_doubt(exchange, error, retry_after_s=retry_after_s)
        case InDoubt(error, is_stored, clears_at):
            # It may just have been carried out, so that reads may not show it yet.
            return _in_doubt(exchange, error, sent_at=None if is_stored else now, clears_at=clears_at)
        case Throttled(retry_after_s):
            return _in_doubt(exchange, "throttled", retry_after_s=retry_after_s)
        case NeverHappened(error):
            return _never_happened(exchange, error)
        case heard:
            return _heard(exchange, heard, now)


def _heard(
    exchange: Exchange, answer: Succeeded | ActionRequired | Processing | Declined | Absent, now: datetime
) -> Meaning:
    match answer:
        case Succeeded() | Processing() | Declined() if exchange.kind is OperationKind.REFUND:
            return interpret_refund(exchange, answer, now=now) or _contradiction(exchange, answer)
        case Succeeded():
            return _succeeded(exchange, answer)
        case ActionRequired() if exchange.kind is OperationKind.AUTHORIZE:
            return _action_required(exchange, answer, now)
        case Processing() if exchange.kind is OperationKind.AUTHORIZE:
            return _processing(exchange, answer, now)
        case Declined():
            return _declined(exchange, answer)
        case Absent() | ActionRequired() | Processing():
            # None says anything of this request: the first is only an answer to look-ups, and only an
            # authorization waits for its payer or for the gateway.
            return _in_doubt(exchange, f"not an answer to {exchange.kind}: {type(answer).__name__}")


def _succeeded(exchange: Exchange, answer: Succeeded) -> Meaning:
    tender, operation = exchange.tender, exchange.operation
    if operation.kind is not OperationKind.VOID and answer.amount_minor != operation.amount_minor:
        return _contradiction(exchange, answer)
    end = settled(operation.id, OperationOutcome.SUCCEEDED, reference=answer.reference)
    money = (tender.id, tender.order_id, operation.amount_minor, tender.currency)
    if operation.kind is OperationKind.VOID:
        others = others_settled(tender, operation.id, OperationOutcome.ABANDONED)
        fact: Fact = events.PaymentVoided(tender.id, tender.order_id)
        return Meaning(Done(), (end, *others), change_of(tender, PaymentStatus.VOIDED), fact=fact)
    if operation.kind is OperationKind.CAPTURE or answer.is_captured:
        reference = tender.reference or answer.reference
        change = change_of(
            tender,
            PaymentStatus.CAPTURED,
            captured_minor=tender.amount_minor,
            gateway=operation.gateway,
            reference=reference,
        )
        fact = events.PaymentCaptured(*money, operation.gateway, reference)
        return Meaning(Done(), (end,), change, fact=fact)
    change = change_of(
        tender,
        PaymentStatus.AUTHORIZED,
        gateway=operation.gateway,
        reference=answer.reference,
        capture_before=answer.capture_before,
    )
    fact = events.PaymentAuthorized(*money, operation.gateway, answer.reference)
    return Meaning(Done(), (end,), change, fact=fact)


def _action_required(exchange: Exchange, answer: ActionRequired, now: datetime) -> Meaning:
    tender, operation = exchange.tender, exchange.operation
    is_slip = answer.type is ActionType.VOUCHER
    until = tender.action_until or answer.until or now + (SLIP_LASTS if is_slip else AUTHENTICATION_LASTS)
    given_up_at = until + CLEARING_LASTS if is_slip else until
    if given_up_at <= now:
        return Meaning(Refused("payment_expired" if is_slip else "authentication_timeout"))
    waiting = (
        Waiting("the payer has to pay the slip", given_up_at, DELAYED_POLL_S_MAX)
        if is_slip
        else Waiting("the payer has to act", given_up_at)
    )
    is_shown = tender.status is PaymentStatus.REQUIRES_ACTION and tender.reference == answer.reference
    if tender.status is PaymentStatus.PROCESSING or (is_shown and tender.action_until):
        # Being worked on by now, so that this is an old answer; or shown already. A charge that the gateway
        # has forgotten is followed by another, whose address has to be shown.
        return Meaning(waiting)
    change = change_of(
        tender,
        PaymentStatus.REQUIRES_ACTION,
        gateway=operation.gateway,
        reference=answer.reference,
        action_type=answer.type,
        action_url=answer.url,
        action_until=until,
    )
    taken_up = OperationChange(operation.id, Phase.SENT, reference=answer.reference)
    fact = events.PaymentActionRequired(
        tender.id, tender.order_id, answer.url, operation.gateway, answer.reference
    )
    return Meaning(waiting, (taken_up,), change, fact=fact)


def _processing(exchange: Exchange, answer: Processing, now: datetime) -> Meaning:
    tender, operation = exchange.tender, exchange.operation
    waiting = Waiting("the gateway works on it", now + PROCESSING_LASTS, DELAYED_POLL_S_MAX)
    if tender.status is PaymentStatus.PROCESSING:
        return Meaning(waiting)
    change = change_of(
        tender, PaymentStatus.PROCESSING, gateway=operation.gateway, reference=answer.reference
    )
    taken_up = OperationChange(operation.id, Phase.SENT, reference=answer.reference)
    fact = events.PaymentProcessing(tender.id, tender.order_id, operation.gateway, answer.reference)
    return Meaning(waiting, (taken_up,), change, fact=fact)


def _declined(exchange: Exchange, answer: Declined) -> Meaning:
    tender, operation = exchange.tender, exchange.operation
    if _may_fail_over(exchange) and answer.code in exchange.fails_over_on:
        return _failover(exchange, OperationOutcome.DECLINED, f"{answer.code}: {answer.message}")
    end = settled(
        operation.id,
        OperationOutcome.DECLINED,
        reference=answer.reference,
        error=f"{answer.code}: {answer.message}",
    )
    if exchange.kind is OperationKind.AUTHORIZE:
        change = change_of(
            tender,
            PaymentStatus.DECLINED,
            gateway=operation.gateway,
            reference=answer.reference,
            decline_code=answer.code,
        )
        fact: Fact = events.PaymentDeclined(
            tender.id, tender.order_id, tender.amount_minor, tender.currency, answer.code
        )
        return Meaning(Refused(answer.code), (end,), change, fact=fact)
    if exchange.kind is OperationKind.VOID and answer.code == ALREADY_CAPTURED:
        # The capture that nobody heard the answer of did happen: the money goes back by refund.
        change = change_of(tender, PaymentStatus.CAPTURED, captured_minor=tender.amount_minor)
        money = (tender.id, tender.order_id, tender.amount_minor, tender.currency)
        fact = events.PaymentCaptured(*money, tender.gateway, tender.reference)
        return Meaning(
            Failed("captured meanwhile, to be refunded", spends_attempt=False, made_progress=True),
            # Whatever else was asked for led up to the capture. Left live, it would be asked after.
            (end, *others_settled(tender, operation.id, OperationOutcome.SUCCEEDED)),
            change,
            fact=fact,
        )
    return Meaning(Refused(answer.code), (end,), change_of(tender, tender.status))


def _may_fail_over(exchange: Exchange) -> bool:
    """Tell whether the payment is free to go elsewhere: no account has it, and no payer was sent to one."""
    is_free = exchange.kind is OperationKind.AUTHORIZE and exchange.tender.status is PaymentStatus.PENDING
    return is_free and bool(exchange.fallback)


def _failover(exchange: Exchange, outcome: OperationOutcome, error: str) -> Meaning:
    """Go to the next account: this one provably did nothing, and its key is never used again."""
    return Meaning(
        Failed(f"{exchange.operation.gateway}: {error}; next is {exchange.fallback}", spends_attempt=False),
        (settled(exchange.operation.id, outcome, error=error),),
        change_of(exchange.tender, exchange.tender.status, gateway=exchange.fallback),
    )


def _not_sent(exchange: Exchange, outcome: Failed) -> Meaning:
    prepared = OperationChange(exchange.operation.id, Phase.PREPARED, error=outcome.error)
    return Meaning(outcome, (prepared,))


def _contradiction(exchange: Exchange, answer: object) -> Meaning:
    """Believe no answer about another amount than was asked for: it stays a doubt, and is asked about."""
    said = getattr(answer, "amount_minor", "nothing")
    return _in_doubt(exchange, f"the gateway says {said}, not {exchange.operation.amount_minor}")


def _in_doubt(
    exchange: Exchange,
    error: str,
    *,
    retry_after_s: float | None = None,
    sent_at: datetime | None = None,
    clears_at: datetime | None = None,
) -> Meaning:
    outcome = outcomes.InDoubt(error, retry_after_s, clears_at)
    if exchange.kind is OperationKind.AUTHORIZE and exchange.tender.is_waiting_for_payer:
        # The answer is known, the payer just has not acted: there is no doubt about money here.
        return Meaning(outcome)
    change = OperationChange(exchange.operation.id, Phase.IN_DOUBT, error=error, sent_at=sent_at)
    payment = change_of(exchange.tender, exchange.tender.status, is_in_doubt=True)
    return Meaning(outcome, (change,), payment)


def _never_happened(exchange: Exchange, error: str) -> Meaning:
    abandoned = settled(exchange.operation.id, OperationOutcome.ABANDONED, error=error)
    again = Failed(error, spends_attempt=False, made_progress=True)
    return Meaning(again, (abandoned,), change_of(exchange.tender, exchange.tender.status))
