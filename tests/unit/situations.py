"""What tests of answers share: a payment in each status, an operation on it, what an answer means there."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from payments.gateways.base import Authorize, Capture, Declined, Refund, Request, Void
from payments.states import OperationKind, OperationOutcome, PaymentStatus, Phase
from payments.steps.exchange import Answered, Exchange, Mode
from payments.steps.interpret import interpret
from payments.steps.meaning import Meaning
from payments.store import OperationChange, PaymentChange
from payments.tenders import LiveOperation, Tender
from resilience.retry import Trouble
from resilience.saga.outcomes import Failed

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=10)
ORDER, PAYMENT, OPERATION, OTHER, REFUND = (UUID(int=number) for number in range(1, 6))
AMOUNT = 1299
MONEY = (PAYMENT, ORDER, AMOUNT, "EUR")
DECLINED = Declined("generic_decline", "no", "pi_1")

# The statuses in which each operation is asked for (payments/steps).
ASKED_IN = {
    OperationKind.AUTHORIZE: (
        PaymentStatus.PENDING,
        PaymentStatus.REQUIRES_ACTION,
        PaymentStatus.PROCESSING,
    ),
    OperationKind.CAPTURE: (PaymentStatus.AUTHORIZED,),
    OperationKind.VOID: (PaymentStatus.REQUIRES_ACTION, PaymentStatus.PROCESSING, PaymentStatus.AUTHORIZED),
    OperationKind.REFUND: (PaymentStatus.CAPTURED,),
}
SITUATIONS = [(kind, status) for kind, statuses in ASKED_IN.items() for status in statuses]


def tender_in(status: PaymentStatus, **changes: object) -> Tender:
    """Return a tender as it is in `status`; a captured one is being refunded in whole."""
    is_asked = status is not PaymentStatus.PENDING
    waits = status is PaymentStatus.REQUIRES_ACTION
    captured_minor = AMOUNT if status is PaymentStatus.CAPTURED else 0
    tender = Tender(
        id=PAYMENT,
        order_id=ORDER,
        method="pm_card_visa",
        amount_minor=AMOUNT,
        currency="EUR",
        status=status,
        captured_minor=captured_minor,
        refunded_minor=0,
        gateway="one" if is_asked else "",
        reference="pi_1" if is_asked else "",
        action_url="https://bank.example/3ds" if waits else "",
        action_until=LATER if waits else None,
        refund_reserved_minor=captured_minor,
    )
    return replace(tender, **changes)  # type: ignore[arg-type]


PENDING, REQUIRES_ACTION, PROCESSING, AUTHORIZED, CAPTURED = (
    tender_in(status)
    for status in (
        PaymentStatus.PENDING,
        PaymentStatus.REQUIRES_ACTION,
        PaymentStatus.PROCESSING,
        PaymentStatus.AUTHORIZED,
        PaymentStatus.CAPTURED,
    )
)


def live(kind: OperationKind, *, operation_id: UUID = OPERATION, amount_minor: int = AMOUNT) -> LiveOperation:
    """Return an operation that was sent to the account "one"."""
    refund_id = REFUND if kind is OperationKind.REFUND else None
    key = f"key-{operation_id.int}"
    return LiveOperation(operation_id, kind, "one", key, amount_minor, Phase.SENT, NOW, NOW, refund_id)


def meaning_of(
    answer: object,
    kind: OperationKind,
    tender: Tender,
    mode: Mode = Mode.SEND,
    *,
    amount_minor: int = AMOUNT,
    fallback: str = "",
    fails_over_on: frozenset[str] = frozenset(),
) -> Meaning:
    """Return what `answer` to an operation of `kind` on `tender` means."""
    operation = live(kind, amount_minor=amount_minor)
    tender = replace(tender, live=(operation, *tender.live))
    requests: dict[OperationKind, Request] = {
        OperationKind.AUTHORIZE: Authorize(operation.key, ORDER, PAYMENT, AMOUNT, "EUR", tender.method),
        OperationKind.CAPTURE: Capture(operation.key, "pi_1", AMOUNT, "EUR"),
        OperationKind.VOID: Void(operation.key, "pi_1", "EUR"),
        OperationKind.REFUND: Refund(operation.key, "pi_1", amount_minor, "EUR"),
    }
    exchange = Exchange(tender, operation, requests[kind], mode, fallback, fails_over_on)
    return interpret(Answered(exchange, answer), now=NOW)  # type: ignore[arg-type]


def settled(
    outcome: OperationOutcome, *, operation_id: UUID = OPERATION, reference: str = "", error: str = ""
) -> OperationChange:
    """Return the end of an operation."""
    return OperationChange(operation_id, Phase.SETTLED, outcome, reference, error)


def change(tender: Tender, status: PaymentStatus | None = None, **changes: object) -> PaymentChange:
    """Return the change of `tender` that leaves all as it is but what is named."""
    unchanged = PaymentChange(
        id=PAYMENT,
        expected=tender.status,
        status=status or tender.status,
        captured_minor=tender.captured_minor,
        gateway=tender.gateway,
        reference=tender.reference,
    )
    return replace(unchanged, **changes)  # type: ignore[arg-type]


def turned_away(retry_after_s: float | None) -> Failed:
    """Return what follows from a gateway that says it has too much to do."""
    return Failed("throttled", retry_after_s, spends_attempt=False, trouble=Trouble.OVERLOAD)
