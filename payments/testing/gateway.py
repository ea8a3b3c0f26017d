"""The fake gateway: the port over a bank in memory, with troubles on request."""

from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from enum import StrEnum

from payments.gateways.base import (
    Absent,
    Answer,
    Authorize,
    InDoubt,
    LookupAnswer,
    NotSent,
    Observation,
    Request,
    StatementLine,
    Throttled,
)
from payments.gateways.errors import KeyReusedError, StatementUnavailableError
from payments.testing.bank import FakeBank
from resilience import clock

Observed = Observation | Absent | NotSent | Throttled | InDoubt


class Trouble(StrEnum):
    """What can happen to one request on its way."""

    NOT_SENT = "not_sent"
    REQUEST_LOST = "request_lost"  # in doubt, and nothing happened
    ANSWER_LOST = "answer_lost"  # in doubt, and it happened
    THROTTLED = "throttled"


class FakeGateway:
    """Implements `Gateway` with a book of its own; `plan` stages troubles and answers.

    `bank` plays the payers and the banks; its `book` is what happened, by reference. `requests` is
    everything that was sent, lost or not. The statement breaks off before its line `statement_breaks_at`,
    counted from 0.
    """

    def __init__(self, *, name: str = "fake", now: Callable[[], datetime] = clock.now) -> None:
        self.name = name
        self.bank = FakeBank(name=name, now=now)
        self.book = self.bank.book
        self.requests: list[Request] = []
        self.lookups: list[Request] = []
        self.statement_breaks_at: int | None = None
        self._planned: dict[type[Request], deque[Trouble | Answer]] = {}
        self._planned_lookups: deque[LookupAnswer] = deque()
        self._planned_observations: deque[Observed] = deque()
        self._answers: dict[str, tuple[Request, Answer]] = {}
        self._lock = self.bank.lock

    def plan(self, kind: type[Request], *troubles: Trouble | Answer) -> None:
        """Let the next requests of `kind` meet these, in turn; an answer is given without an effect."""
        self._planned.setdefault(kind, deque()).extend(troubles)

    def plan_lookups(self, *answers: LookupAnswer) -> None:
        """Let the next look-ups, of any kind, be answered with these, in turn."""
        self._planned_lookups.extend(answers)

    def plan_observations(self, *answers: Observed) -> None:
        """Let the next observations, of any charge, be these, in turn."""
        self._planned_observations.extend(answers)

    def authenticate(self, reference: str) -> None:
        """Let the payer pass the 3-D Secure step of `reference`."""
        self.bank.authenticate(reference)

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

    def look_up(self, request: Request, *, thoroughly: bool = False) -> LookupAnswer:
        """Ask what became of `request`, changing nothing."""
        with self._lock:
            self.lookups.append(request)
            if self._planned_lookups:
                return self._planned_lookups.popleft()
            if isinstance(request, Authorize):
                charge = self.bank.charge_of(request.key)
                # A refused card leaves no charge, only the answer.
                return charge.authorization() if charge else self._answers.get(request.key, (0, Absent()))[1]
            if request.reference not in self.book:
                return Absent()
            return self.bank.answer_about(request)

    def observe(self, reference: str) -> Observed:
        """Ask for all that is known of one charge."""
        with self._lock:
            if self._planned_observations:
                return self._planned_observations.popleft()
            charge = self.book.get(reference)
            return charge.observation() if charge else Absent()

    def statement(self, *, since: datetime | None) -> Iterator[StatementLine]:
        """Yield the movements of money from `since` on, newest first. Raises StatementUnavailableError."""
        with self._lock:
            lines = [line for line in reversed(self.bank.lines) if since is None or line.created_at >= since]
        for number, line in enumerate(lines):
            if number == self.statement_breaks_at:
                break
            yield line
        else:
            return
        raise StatementUnavailableError("planned: the list broke off", gateway=self.name)

    def _execute(self, request: Request) -> Answer:
        """Answer a key that was seen before as the first time, like every gateway with keys."""
        if request.key in self._answers:
            first, answer = self._answers[request.key]
            if first != request:
                raise KeyReusedError(f"key {request.key} was sent before with other parameters")
            return answer
        answer = self.bank.carry_out(request)
        self._answers[request.key] = (request, answer)
        return answer
