"""Take the money that was reserved for every tender of an order."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from payments import store
from payments.flags import CAPTURE
from payments.gateways.base import Capture
from payments.states import OperationKind, PaymentStatus, Phase
from payments.steps import remote_step
from payments.steps.exchange import Exchange, Mode
from payments.steps.remote_step import Ended, Intents, NotYet
from payments.steps.unsettled import why_not_captured
from payments.tenders import Tender
from resilience.saga.definition import Call, Run
from resilience.saga.outcomes import Outcome

# Why a tender cannot be captured whose authorization a person took for settled.
NOT_AUTHORIZED = "not_authorized"


class CapturePayments:
    """A saga step keyed by order id: done when every tender is captured."""

    def prepare(self, runs: Sequence[Run]) -> Mapping[UUID, Sequence[Call]]:
        """Write an intent for each tender that is not captured; one that is not authorized refuses."""
        tenders = store.lock_tenders([run.key for run in runs])
        intents = Intents(runs[0].now)
        calls = {
            run.id: [
                _exchange(intents, tender)
                if tender.status is PaymentStatus.AUTHORIZED
                else Ended(tender.decline_code or NOT_AUTHORIZED)
                for tender in tenders[run.key]
                if tender.status is not PaymentStatus.CAPTURED
            ]
            for run in runs
        }
        intents.write()
        return calls

    def record(self, runs: Sequence[Run], answers: Mapping[UUID, Sequence[object]]) -> Mapping[UUID, Outcome]:
        """Write what the gateway said of each tender."""
        return remote_step.record(runs, answers)

    def unsettled(self, run: Run) -> str:
        """Say why a person may not take this as done."""
        return why_not_captured(run)


def _exchange(intents: Intents, tender: Tender) -> Exchange | NotYet:
    def capture(key: str) -> Capture:
        return Capture(key, tender.reference, tender.amount_minor, tender.currency)

    live = tender.live_of(OperationKind.CAPTURE)
    if (live is None or live.phase is Phase.PREPARED) and not CAPTURE.is_on():
        # What may have left already is followed up all the same: its money may have moved.
        return NotYet("capture is switched off")
    if live is None:
        return intents.first(tender, OperationKind.CAPTURE, tender.amount_minor, capture)
    return intents.again_for(tender, live, Mode.ASK, capture)
