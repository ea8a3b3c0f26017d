"""A gateway in memory, for tests of whoever uses the port. It passes the contract of the real ones."""

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from threading import RLock

from payments.gateways.base import (
    Absent,
    ActionRequired,
    Answer,
    Authorize,
    Capture,
    Declined,
    InDoubt,
    LookupAnswer,
    NotSent,
    Refund,
    Request,
    Succeeded,
    Throttled,
    Void,
)
from payments.gateways.errors import KeyReusedError

# Of Stripe's public test methods, one for each way that an authorization can end.
METHOD_OK = "pm_card_visa"
METHOD_DECLINED = "pm_card_visa_chargeDeclined"
METHOD_WITHOUT_FUNDS = "pm_card_visa_chargeDeclinedInsufficientFunds"
METHOD_WITH_ACTION = "pm_card_threeDSecure2Required"

_DECLINES = {
    METHOD_DECLINED: Declined("generic_decline", "Your card was declined."),
    METHOD_WITHOUT_FUNDS: Declined("insufficient_funds", "Your card has insufficient funds."),
}


class Trouble(StrEnum):
    """What can happen to one request on its way."""

    NOT_SENT = "not_sent"
    REQUEST_LOST = "request_lost"  # in doubt, and nothing happened
    ANSWER_LOST = "answer_lost"  # in doubt, and it happened
    THROTTLED = "throttled"


class ChargeStatus(StrEnum):
    """What a charge in the fake's book has come to."""

    REQUIRES_ACTION = "requires_action"
    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    CANCELLED = "cancelled"


@dataclass
class FakeCharge:
    """A line of the fake's book. `refunds` by their keys."""

    reference: str
    request: Authorize
    status: ChargeStatus
    captured_minor: int = 0
    refunds: dict[str, Succeeded] = field(default_factory=dict)

    @property
    def refunded_minor(self) -> int:
        return sum(refund.amount_minor for refund in self.refunds.values())


class FakeGateway:
    """Implements `Gateway` with a book of its own; `plan` stages troubles and answers.

    `book` is what happened, by reference; `requests` everything that was sent, lost or not.
    """

    def __init__(self, *, name: str = "fake") -> None:
        self.name = name
        self.book: dict[str, FakeCharge] = {}
        self.requests: list[Request] = []
        self.lookups: list[Request] = []
        self._planned: dict[type[Request], deque[Trouble | Answer]] = {}
        self._planned_lookups: deque[LookupAnswer] = deque()
        self._answers: dict[str, tuple[Request, Answer]] = {}
        self._numbers = count(1)
        self._lock = RLock()

    def plan(self, kind: type[Request], *troubles: Trouble | Answer) -> None:
        """Let the next requests of `kind` meet these, in turn; an answer is given without an effect."""
        self._planned.setdefault(kind, deque()).extend(troubles)

    def plan_lookups(self, *answers: LookupAnswer) -> None:
        """Let the next look-ups, of any kind, be answered with these, in turn."""
        self._planned_lookups.extend(answers)

    def authenticate(self, reference: str) -> None:
        """Let the payer pass the 3-D Secure step of `reference`."""
        self.book[reference].status = ChargeStatus.AUTHORIZED

    def send(self, request: Request) -> Answer:
        """Carry out `request` under its key. Raises KeyReusedError."""
        with self._lock:
            self.requests.append(request)
            planned = self._planned.get(type(request))
            match planned.popleft() if planned else None:
                case None:
                    return self._execute(request)
                case Trouble.NOT_SENT:
                    return NotSent("planned: not sent")
                case Trouble.THROTTLED:
                    return Throttled(retry_after_s=1.0)
                case Trouble.REQUEST_LOST:
                    return InDoubt("planned: the request was lost")
                case Trouble.ANSWER_LOST:
                    self._execute(request)
                    return InDoubt("planned: the answer was lost")
                case answer:
                    return answer

    def look_up(self, request: Request) -> LookupAnswer:
        """Ask what became of `request`, changing nothing."""
        with self._lock:
            self.lookups.append(request)
            if self._planned_lookups:
                return self._planned_lookups.popleft()
            match request:
                case Authorize():
                    return self._answers.get(request.key, (request, Absent()))[1]
                case Capture() | Void() if request.reference in self.book:
                    return self._state_for(request, self.book[request.reference])
                case Refund() if request.reference in self.book:
                    return self.book[request.reference].refunds.get(request.key, Absent())
                case _:
                    return Absent()

    def _execute(self, request: Request) -> Answer:
        """Answer a key that was seen before as the first time, like every gateway with keys."""
        if request.key in self._answers:
            first, answer = self._answers[request.key]
            if first != request:
                raise KeyReusedError(f"key {request.key} was sent before with other parameters")
            return answer
        answer = self._effect(request)
        self._answers[request.key] = (request, answer)
        return answer

    def _effect(self, request: Request) -> Answer:
        if isinstance(request, Authorize):
            return self._authorize(request)
        charge = self.book.get(request.reference)
        if charge is None:
            return Declined("resource_missing", "No such payment.")
        match request:
            case Capture():
                return self._capture(request, charge)
            case Void():
                return self._void(request, charge)
            case Refund():
                return self._refund(request, charge)

    def _authorize(self, request: Authorize) -> Answer:
        if request.method in _DECLINES:
            return _DECLINES[request.method]
        reference = f"{self.name}_{next(self._numbers)}"
        needs_action = request.method == METHOD_WITH_ACTION
        status = ChargeStatus.REQUIRES_ACTION if needs_action else ChargeStatus.AUTHORIZED
        self.book[reference] = FakeCharge(reference=reference, request=request, status=status)
        if needs_action:
            return ActionRequired(reference, f"https://gateway.test/{reference}")
        return Succeeded(reference, request.amount_minor)

    def _capture(self, request: Capture, charge: FakeCharge) -> Answer:
        if charge.status is ChargeStatus.AUTHORIZED:
            if request.amount_minor > charge.request.amount_minor:
                return Declined("amount_too_large", "More than was authorized.")
            charge.status = ChargeStatus.CAPTURED
            charge.captured_minor = request.amount_minor
        return _certain(self._state_for(request, charge))

    def _void(self, request: Void, charge: FakeCharge) -> Answer:
        if charge.status is not ChargeStatus.CAPTURED:
            charge.status = ChargeStatus.CANCELLED
        return _certain(self._state_for(request, charge))

    def _refund(self, request: Refund, charge: FakeCharge) -> Answer:
        rest_minor = charge.captured_minor - charge.refunded_minor
        if charge.captured_minor == 0:
            return Declined("charge_not_refundable", "Nothing was captured.")
        if rest_minor == 0:
            return Declined("charge_already_refunded", "It was all given back.")
        if request.amount_minor > rest_minor:
            return Declined("amount_too_large", "More than is left.")
        refund = Succeeded(f"{self.name}_refund_{next(self._numbers)}", request.amount_minor)
        charge.refunds[request.key] = refund
        return refund

    def _state_for(self, request: Capture | Void, charge: FakeCharge) -> LookupAnswer:
        match request, charge.status:
            case Capture(amount_minor=amount_minor), ChargeStatus.CAPTURED:
                if amount_minor != charge.captured_minor:
                    return InDoubt("another amount was captured", is_stored=True)
                return Succeeded(charge.reference, amount_minor)
            case Capture(), ChargeStatus.CANCELLED:
                return Declined("authorization_gone", "The authorization has ended.", charge.reference)
            case Capture(), ChargeStatus.REQUIRES_ACTION:
                return Declined("not_authorized", "There is no authorization.", charge.reference)
            case Void(), ChargeStatus.CANCELLED:
                return Succeeded(charge.reference, charge.request.amount_minor)
            case Void(), ChargeStatus.CAPTURED:
                return Declined("already_captured", "The money was taken already.", charge.reference)
            case _:
                return Absent()


def _certain(answer: LookupAnswer) -> Answer:
    assert not isinstance(answer, Absent), "an effect leaves no absence"  # noqa: S101
    return answer
