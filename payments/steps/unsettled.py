"""Why a person may not take a step of payments as settled: read from what is written, asking nobody.

The danger: "it must have worked" confirms an order that was never paid, or leaves an amount reserved for a
refund that nobody asks about any more.
"""

from collections.abc import Callable

from payments import store
from payments.states import PaymentStatus, Phase
from payments.tenders import Tender
from resilience.saga.definition import Run

_ASK = "`retry` asks the gateway; the answer settles it."


def why_not_authorized(run: Run) -> str:
    """Return why the payments of the order `run.key` do not count as authorized; "" when they do."""
    standing = (PaymentStatus.AUTHORIZED, PaymentStatus.CAPTURED)
    return _open_tender(run, lambda tender: tender.status in standing)


def why_not_captured(run: Run) -> str:
    """Return why the payments of the order `run.key` do not count as captured; "" when they do."""
    return _open_tender(run, lambda tender: tender.status is PaymentStatus.CAPTURED)


def why_not_returned(run: Run) -> str:
    """Return why the payments of the order `run.key` do not count as given back; "" when they may.

    Money that a gateway refuses to give back may have gone back another way, so that only an operation
    under way speaks against it.
    """
    return _open_tender(run, lambda _tender: True)


def why_not_refunded(run: Run) -> str:
    """Return why the refund `run.key` has not ended; "" when it has."""
    _tenders, pending = store.lock_pending_refunds([run.key])
    if run.key not in pending:
        return ""
    return f"Refund {run.key} is pending and its amount reserved. {_ASK} `compensate` lets the amount go."


def _open_tender(run: Run, is_settled: Callable[[Tender], bool]) -> str:
    for tender in store.lock_tenders([run.key])[run.key]:
        asked = next((operation for operation in tender.live if operation.phase is not Phase.PREPARED), None)
        if asked:
            return f"The {asked.kind} of payment {tender.id} has no answer yet. {_ASK}"
        if not is_settled(tender):
            return f"Payment {tender.id} is {tender.status}. {_ASK}"
    return ""
