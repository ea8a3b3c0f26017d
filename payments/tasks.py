"""The Celery entrances of payments."""

import logging

from celery import shared_task

from payments.errors import ReconciliationUnderWayError
from payments.gateways.registry import gateway_names
from payments.ledger import sealing
from payments.services.observation import start_observations
from payments.services.reconcile_lately import reconcile_lately
from payments.services.sweep_notices import sweep_notices
from payments.services.watch_authorizations import watch_authorizations
from resilience import clock

logger = logging.getLogger(__name__)

# After an outage a task catches up with this many seals (100 000 transactions in 5 to 10 s, measured), below
# the time limit of a task; the next one goes on.
_SEALS_PER_TASK_MAX = 20

# The whole pass of a day takes minutes where a hundred thousand payments are; past this, something hangs.
_RECONCILIATION_LIMIT_S = 1800


@shared_task(name="payments.ledger.seal")
def seal_ledger() -> None:
    """Seal what was posted since the last time."""
    for _seal in range(_SEALS_PER_TASK_MAX):
        limit = sealing.TRANSACTIONS_PER_SEAL_MAX
        if sealing.run_once(now=clock.now(), limit=limit) < limit:
            return
    logger.warning("Sealing the ledger lags behind posting.")


@shared_task(name="payments.notices.sweep")
def sweep_waiting_notices() -> None:
    """Try notices again that wait for their payment, or that were left."""
    swept = sweep_notices(now=clock.now(), observe=start_observations)
    logger.info("Notices were swept.", extra=vars(swept))


@shared_task(name="payments.watch_authorizations")
def watch_lapsing_authorizations() -> None:
    """Let go of held money that lapses soon and that nobody moves."""
    watched = watch_authorizations(now=clock.now())
    logger.info("Authorizations were watched.", extra=vars(watched))


# Acknowledged early: it outlasts the broker's visibility timeout, and one that is lost is followed by the
# next one a minute later.
@shared_task(name="payments.reconcile", acks_late=False, time_limit=_RECONCILIATION_LIMIT_S)
def reconcile_accounts() -> None:
    """Compare what has moved lately with the lists of all accounts."""
    for name in gateway_names():
        try:
            reconcile_lately(name, now=clock.now())
        except ReconciliationUnderWayError:
            logger.info("An account is being reconciled already.", extra={"gateway": name})
