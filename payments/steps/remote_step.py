"""What the payment steps of a saga share: many tenders a saga, one exchange a tender."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from payments import store
from payments.gateways.base import Request
from payments.states import OperationKind, Phase
from payments.steps.exchange import Answered, Exchange, Mode
from payments.steps.interpret import interpret
from payments.steps.meaning import Meaning
from payments.steps.telling import tell
from payments.store import NewOperation
from payments.tenders import LiveOperation, Tender
from resilience.ids import new_id
from resilience.saga.definition import CallRaised, CallTimedOut, Run
from resilience.saga.outcomes import Crashed, Done, Failed, InDoubt, Outcome, Refused, Waiting

# The worst word counts: a bug stops everything, a doubt must be settled before a refusal turns the
# saga round, and a refusal stands whatever else could be tried again.
_WORST_FIRST = (Crashed, InDoubt, Refused, Failed, Waiting, Done)


@dataclass(frozen=True)
class Ended:
    """A call that asks nobody: its tender was lost in an earlier attempt, beside one in doubt.

    The danger: a step that only counts the tenders it still asks about would go on without this one,
    and sell the order for less than its price.
    """

    code: str

    def __call__(self) -> "Ended":
        return self


@dataclass(frozen=True)
class NotYet:
    """A call that asks nobody: something else has to end first; its saga comes back soon."""

    reason: str

    def __call__(self) -> "NotYet":
        return self


@dataclass(frozen=True)
class Standing:
    """A call that asks nobody: its tender is authorized, until `capture_before`."""

    capture_before: datetime

    def __call__(self) -> "Standing":
        return self


@dataclass
class Intents:
    """The exchanges of a batch and the operations to be written before them."""

    now: datetime
    new: list[NewOperation] = field(default_factory=list)
    again: list[UUID] = field(default_factory=list)
    unanswered: list[UUID] = field(default_factory=list)

    def first(
        self,
        tender: Tender,
        kind: OperationKind,
        amount_minor: int,
        request: Callable[[str], Request],
        *,
        account: str = "",
        refund_id: UUID | None = None,
    ) -> Exchange:
        """Return an exchange for a new operation; `request` is made from its fresh key.

        It goes to `account`, or to where the payment is.
        """
        operation_id = new_id()
        key = f"{kind}-{operation_id}"
        account = account or tender.gateway
        self.new.append(NewOperation(operation_id, tender.id, kind, account, key, amount_minor, refund_id))
        operation = LiveOperation(
            operation_id, kind, account, key, amount_minor, Phase.SENT, self.now, self.now, refund_id
        )
        return Exchange(tender, operation, request(key), Mode.SEND)

    def again_for(
        self, tender: Tender, operation: LiveOperation, mode: Mode, request: Callable[[str], Request]
    ) -> Exchange:
        """Return an exchange for a live operation, under its old key.

        One that provably never reached the gateway is sent; any other is treated as `mode` says.
        """
        if operation.phase is Phase.PREPARED:
            mode = Mode.SEND
        is_taken_up = operation.kind is OperationKind.AUTHORIZE and tender.is_waiting_for_payer
        if operation.phase is Phase.SENT and not is_taken_up:
            # Whoever asked last never told what came of it, and may be asking yet.
            operation = replace(operation, sent_at=self.now)
            self.unanswered.append(operation.id)
        if mode is not Mode.LOOK:
            self.again.append(operation.id)
        return Exchange(tender, operation, request(operation.key), mode, is_again=not is_taken_up)

    def write(self) -> None:
        """Write the intents; they must commit before any exchange is called."""
        store.intend(self.new, now=self.now)
        store.note_unanswered(self.unanswered, now=self.now)
        store.send_again(self.again, now=self.now)


def record(runs: Sequence[Run], answers: Mapping[UUID, Sequence[object]]) -> Mapping[UUID, Outcome]:
    """Write what the answers mean and return the worst outcome of each run; Done without answers."""
    outcomes: dict[UUID, Outcome] = {}
    meanings: list[Meaning] = []
    for run in runs:
        found = [_meaning(answer, run.now) for answer in answers.get(run.id, ())]
        meanings += found
        outcomes[run.id] = worst([meaning.outcome for meaning in found])
    if runs:
        write(meanings, now=runs[0].now)
    return outcomes


def write(meanings: Sequence[Meaning], *, now: datetime) -> None:
    """Write the changes and facts of `meanings`, each kind of them in one statement."""
    store.settle(
        [change for meaning in meanings for change in meaning.operations],
        [meaning.payment for meaning in meanings if meaning.payment],
        now=now,
    )
    store.settle_refunds([meaning.refund for meaning in meanings if meaning.refund], now=now)
    tell([meaning.fact for meaning in meanings if meaning.fact], now=now)


def worst(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the outcome that decides for a whole saga; Done when there is none."""
    for kind in _WORST_FIRST:
        for outcome in outcomes:
            if isinstance(outcome, kind):
                return outcome
    return Done()


def _meaning(answer: object, now: datetime) -> Meaning:
    match answer:
        case Answered():
            return interpret(answer, now=now)
        case Ended(code):
            return Meaning(Refused(code))
        case NotYet(reason):
            return Meaning(Failed(reason, spends_attempt=False))
        case Standing():
            return Meaning(Done())
        case CallTimedOut(after_s):
            # It stays as it was written, sent, and its answer is lost to us: the next attempt asks.
            return Meaning(InDoubt(f"no answer within {after_s:g} s"))
        case CallRaised(error):
            # A bug. The operation stays as it was written, sent, so that the next attempt asks first.
            return Meaning(Crashed(error))
        case _:
            raise AssertionError(f"not an answer of an exchange: {answer!r}")
