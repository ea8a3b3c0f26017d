"""Let go of money that is held for an order nobody moves, before the hold lapses by itself.

The danger: a placement is parked while its payer's money is reserved. Nobody looks at it for days, the
reservation lapses, and the order that is then taken up again has nothing to capture. A placement that waits
bounds itself (payments/steps/authorize_payments.py); a parked one does nothing, so somebody has to watch.
"""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from uuid import UUID

from django.db.models import Count, Min, Q

from payments.models import Payment
from payments.states import PaymentStatus
from payments.steps.authorize_payments import LAPSE_MARGIN
from payments.steps.return_payments import ReturnPayments
from resilience.saga.operate import Instruction, SagaNotParkedError, SagaPastPivotError, compensate
from resilience.saga.query import OpenSaga, keys_of_open_sagas, open_sagas_of
from resilience.saga.registry import UnknownDefinitionError, definition_of
from resilience.saga.start import signal
from resilience.saga.states import SagaStatus

logger = logging.getLogger(__name__)

OPERATOR = "authorization watcher"
# Those that lapse soonest come first; more than this at once is an outage with an operator before it. One run
# turns a saga round in a few milliseconds, so this stays far below a task's time limit.
ORDERS_MAX = 1_000


@dataclass(frozen=True)
class Holding:
    """Money that is held for an order and lapses soon, the first of its payments at `capture_before`.

    `is_in_doubt`: a gateway is asked what became of one of them.
    """

    order_id: UUID
    capture_before: datetime
    is_in_doubt: bool


class Verdict(Enum):
    """What to do about a saga of an order whose hold lapses."""

    TURN_ROUND = auto()
    WAKE = auto()
    LEAVE = auto()


@dataclass(frozen=True)
class Watched:
    """What came of one watch, in sagas."""

    turned_round: int = 0
    woken: int = 0
    left: int = 0


def watch_authorizations(*, now: datetime) -> Watched:
    """Turn round, by the way an operator does, what holds money that lapses soon; wake what still moves.

    Several at once are harmless: the first turns a saga round, the others find it not parked any more.
    """
    holdings = _lapsing(now)
    sagas = open_sagas_of(list(holdings))
    by_verdict: dict[Verdict, list[OpenSaga]] = {verdict: [] for verdict in Verdict}
    for saga in sagas:
        by_verdict[judge(saga, holdings[saga.business_key])].append(saga)
    turned = sum(
        _turn_round(saga, holdings[saga.business_key], now) for saga in by_verdict[Verdict.TURN_ROUND]
    )
    signal(business_keys=sorted({saga.business_key for saga in by_verdict[Verdict.WAKE]}))
    woken = len(by_verdict[Verdict.WAKE])
    return Watched(turned, woken, len(sagas) - turned - woken)


def judge(saga: OpenSaga, holding: Holding) -> Verdict:
    """Return what to do about an order's saga while the order's money is about to lapse: pure.

    Turned round is only what returns the payments on its way back, and only while nobody else decides: while
    a gateway is asked about these very payments its answer does, and a parked undo is an operator's.
    """
    if saga.status is not SagaStatus.PARKED:
        return Verdict.WAKE
    if not _returns_payments(saga):
        return Verdict.LEAVE
    if holding.is_in_doubt and saga.is_due:
        return Verdict.WAKE
    return Verdict.TURN_ROUND if saga.parked_from is SagaStatus.RUNNING else Verdict.LEAVE


def _returns_payments(saga: OpenSaga) -> bool:
    """Tell a placement: this room does not know its name, but it knows the way back of what it offers."""
    try:
        steps = definition_of(saga.definition, saga.version).steps
    except UnknownDefinitionError:
        return False
    return any(isinstance(step.undo, ReturnPayments) for step in steps)


def _turn_round(saga: OpenSaga, holding: Holding, now: datetime) -> bool:
    """Turn a parked saga round; return whether it was us who did."""
    lapses_at = holding.capture_before.astimezone(UTC).isoformat(timespec="seconds")
    reason = f"the money held for the order lapses at {lapses_at}, and nobody has taken it up"
    try:
        compensate(Instruction(saga.id, OPERATOR, reason, now))
    except SagaPastPivotError as error:
        logger.error(
            "Held money lapses behind a pivot.", extra={"saga": str(saga.id), "error": error.message}
        )
        return False
    except SagaNotParkedError:
        # An operator, an answer or another watcher was faster.
        logger.info("A saga was taken up before the watcher.", extra={"saga": str(saga.id)})
        return False
    logger.warning("A parked saga was turned round.", extra={"saga": str(saga.id), "reason": reason})
    return True


def _lapsing(now: datetime) -> dict[UUID, Holding]:
    """Return what lapses within the margin, by order; what has lapsed cannot be let go any more.

    From the open sagas to their payments, for no index holds the end of a hold: it would be written with
    every update of a payment, to be read once in five minutes.
    """
    rows = Payment.objects.using("default").filter(
        order_id__in=keys_of_open_sagas(),
        status=PaymentStatus.AUTHORIZED,
        capture_before__gt=now,
        capture_before__lte=now + LAPSE_MARGIN,
    )
    by_order = (
        rows.values_list("order_id")
        .annotate(first=Min("capture_before"), in_doubt=Count("pk", filter=Q(in_doubt_since__isnull=False)))
        .order_by("first", "order_id")[:ORDERS_MAX]
    )
    found = {order_id: Holding(order_id, first, in_doubt > 0) for order_id, first, in_doubt in by_order}
    if len(found) == ORDERS_MAX:
        logger.error("More authorizations lapse than one watch looks at.", extra={"limit": ORDERS_MAX})
    return found
