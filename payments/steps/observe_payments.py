"""See what a gateway knows of a payment, and book what we did not know: steps of the observation saga.

Its runs carry `payment_id`, `gateway` and `reference` (the gateway's id of the charge) in their data.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from payments import store
from payments.gateways.base import Absent, InDoubt, NotSent, Observation, Throttled, Void
from payments.gateways.permits import within_permits
from payments.gateways.registry import gateway
from payments.states import OperationKind
from payments.steps import remote_step
from payments.steps.booking import Booked, StartRefund, book_what_is_seen
from payments.steps.exchange import Answered, Exchange, Mode
from payments.steps.interpret import interpret
from payments.steps.meaning import Meaning
from payments.steps.remote_step import Intents
from payments.steps.sparing import sparingly
from payments.tenders import Tender
from resilience.errors import Operational
from resilience.retry import Trouble
from resilience.saga import outcomes
from resilience.saga.asking import tries
from resilience.saga.definition import Call, CallRaised, CallTimedOut, Run
from resilience.saga.outcomes import Crashed, Done, Failed, Outcome, Refused

HELD = "held_reference"


@dataclass(frozen=True)
class Look:
    """A call that asks for all that is known of one charge."""

    gateway: str
    reference: str

    def __call__(self) -> Observation | Absent | NotSent | Throttled | InDoubt:
        try:
            at = gateway(self.gateway)
        except Operational as error:
            return NotSent(error.message)
        trouble = Trouble.DOUBT if tries() > 1 else None
        return within_permits(
            self.gateway, lambda: sparingly(self.gateway, trouble, lambda: at.observe(self.reference))
        )


class ObservePayments:
    """A saga step: done when everything that the gateway shows is booked here."""

    def __init__(self, *, start_refund: StartRefund) -> None:
        self._start_refund = start_refund

    def prepare(self, runs: Sequence[Run]) -> Mapping[UUID, Sequence[Call]]:
        """Nothing is intended: looking changes nothing."""
        return {run.id: [Look(str(run.data["gateway"]), str(run.data["reference"]))] for run in runs}

    def record(self, runs: Sequence[Run], answers: Mapping[UUID, Sequence[object]]) -> Mapping[UUID, Outcome]:
        """Book what was seen."""
        return {run.id: self._outcome(run, answers[run.id][0]) for run in runs}

    def _outcome(self, run: Run, answer: object) -> Outcome:
        match answer:
            case Observation():
                booked = book_what_is_seen(
                    UUID(str(run.data["payment_id"])),
                    answer,
                    gateway=str(run.data["gateway"]),
                    start_refund=self._start_refund,
                    now=run.now,
                )
                return _outcome_of(booked)
            case Absent():
                # Reads lag: what is told of may not be readable yet.
                return Failed("the gateway does not show it")
            case Throttled(retry_after_s):
                return Failed("throttled", retry_after_s, spends_attempt=False, trouble=Trouble.OVERLOAD)
            case NotSent(error, retry_after_s):
                return Failed(error, retry_after_s, spends_attempt=False)
            case InDoubt(error) | CallRaised(error):
                return Failed(error, spends_attempt=isinstance(answer, CallRaised))
            case CallTimedOut(after_s):
                return Failed(f"no answer within {after_s:g} s", spends_attempt=False)
        raise AssertionError(f"not an answer of a look: {answer!r}")


class ReleaseHolds:
    """A saga step: done when nothing is held any more for a payment that has ended."""

    def prepare(self, runs: Sequence[Run]) -> Mapping[UUID, Sequence[Call]]:
        """Write an intent for each hold that was seen; most observations see none."""
        holding = {run.id: UUID(str(run.data["payment_id"])) for run in runs if run.data.get(HELD)}
        tenders = store.lock_payments(list(holding.values())) if holding else {}
        intents = Intents(runs[0].now)
        calls: dict[UUID, Sequence[Call]] = {
            run.id: [_void(intents, tenders[holding[run.id]], run)] if run.id in holding else []
            for run in runs
        }
        intents.write()
        return calls

    def record(self, runs: Sequence[Run], answers: Mapping[UUID, Sequence[object]]) -> Mapping[UUID, Outcome]:
        """Write what the gateway said; the payment itself stays ended."""
        outcomes: dict[UUID, Outcome] = {}
        meanings: list[Meaning] = []
        for run in runs:
            found = [_meaning_of(answer, run) for answer in answers.get(run.id, ())]
            meanings += found
            outcomes[run.id] = remote_step.worst([meaning.outcome for meaning in found])
        remote_step.write(meanings, now=runs[0].now)
        return outcomes


def _outcome_of(booked: Booked) -> Outcome:
    if booked.unsettled:
        return Failed(booked.unsettled, spends_attempt=False)
    return Done({HELD: booked.held_reference} if booked.held_reference else {})


def _void(intents: Intents, tender: Tender, run: Run) -> Exchange:
    reference = str(run.data[HELD])

    def request(key: str) -> Void:
        return Void(key, reference, tender.currency)

    live = tender.live_of(OperationKind.VOID)
    if live:
        return intents.again_for(tender, live, Mode.ASK, request)
    account = str(run.data["gateway"])
    return intents.first(tender, OperationKind.VOID, tender.amount_minor, request, account=account)


def _meaning_of(answer: object, run: Run) -> Meaning:
    """Return what the answer means for the operation alone: the payment has ended and stays so."""
    match answer:
        case Answered():
            meaning = interpret(answer, now=run.now)
            has_ended = any(change.outcome for change in meaning.operations)
            # Refused, because it was taken meanwhile: that is a fact of its own, and told by itself.
            outcome = (
                Done() if has_ended and isinstance(meaning.outcome, Failed | Refused) else meaning.outcome
            )
            return replace(meaning, outcome=outcome, payment=None, fact=None)
        case CallTimedOut(after_s):
            return Meaning(outcomes.InDoubt(f"no answer within {after_s:g} s"))
        case CallRaised(error):
            return Meaning(Crashed(error))
    raise AssertionError(f"not an answer of an exchange: {answer!r}")
