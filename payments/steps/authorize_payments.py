"""Reserve the money of every tender of an order."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from payments import store
from payments.gateways.base import Authorize
from payments.states import OperationKind, PaymentStatus
from payments.steps import remote_step
from payments.steps.exchange import Exchange, Mode
from payments.steps.remote_step import Ended, Intents
from payments.tenders import Tender
from resilience.saga.definition import Call, Run
from resilience.saga.outcomes import Outcome

_OPEN = (PaymentStatus.PENDING, PaymentStatus.REQUIRES_ACTION)
# Captured: by hand, at the gateway, before we looked.
_STANDING = (PaymentStatus.AUTHORIZED, PaymentStatus.CAPTURED)


class AuthorizePayments:
    """A saga step keyed by order id: all tenders are authorized, or the step is refused or retried."""

    def prepare(self, runs: Sequence[Run]) -> Mapping[UUID, Sequence[Call]]:
        """Write an intent for each tender that is not authorized yet; one that was declined stays so."""
        tenders = store.lock_tenders([run.key for run in runs])
        intents = Intents(runs[0].now)
        calls = {
            run.id: [
                _exchange(intents, tender) if tender.status in _OPEN else Ended(tender.decline_code)
                for tender in tenders[run.key]
                if tender.status not in _STANDING
            ]
            for run in runs
        }
        intents.write()
        return calls

    def record(self, runs: Sequence[Run], answers: Mapping[UUID, Sequence[object]]) -> Mapping[UUID, Outcome]:
        """Write what the gateway said of each tender."""
        return remote_step.record(runs, answers)


def authorization(tender: Tender, key: str) -> Authorize:
    """Return the request that reserves the amount of `tender`."""
    return Authorize(key, tender.order_id, tender.id, tender.amount_minor, tender.currency, tender.method)


def _exchange(intents: Intents, tender: Tender) -> Exchange:
    live = tender.live_of(OperationKind.AUTHORIZE)
    if live is None:
        return intents.first(
            tender, OperationKind.AUTHORIZE, tender.amount_minor, lambda key: authorization(tender, key)
        )
    waits_for_payer = tender.status is PaymentStatus.REQUIRES_ACTION
    mode = Mode.LOOK if waits_for_payer else Mode.ASK
    return intents.again_for(tender, live, mode, lambda key: authorization(tender, key))
