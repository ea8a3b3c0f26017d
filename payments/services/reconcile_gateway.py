"""Reconcile an account: its list of movements beside our books, and our books beside its list.

The danger: a difference that nobody sees is a customer charged for nothing, or money that we think we have.
A second danger: a difference that is none. So the gateway is asked once more before one is named, what is
under way is left alone, and a list that broke off proves nothing missing.
"""

import logging
from datetime import datetime
from uuid import UUID

from payments.gateways.base import Gateway
from payments.gateways.registry import gateway
from payments.models import ReconciliationRun
from payments.reconciliation.passing import Pass
from payments.states import RunStatus
from payments.store.runs import begin_run, end_run
from resilience.errors import Operational

logger = logging.getLogger(__name__)


def reconcile(gateway_name: str, *, since: datetime | None, now: datetime) -> ReconciliationRun:
    """Compare what the account's list says from `since` on (None: all of it) with our books; return the run.

    What the gateway shows and we did not know is booked; what nothing explains is a reconciliation exception.
    A run that broke off is `failed` with its `error`, and keeps what it had done. Calls the gateway; must not
    be called inside a transaction. Raises UnknownGatewayError and ReconciliationUnderWayError.
    """
    adapter = gateway(gateway_name)
    run_id = begin_run(gateway_name, since=since, now=now)
    try:
        error = _carry_out(adapter, run_id, since=since, now=now)
    except Exception as bug:
        end_run(run_id, RunStatus.FAILED, error=f"a bug: {bug!r}")
        raise
    end_run(run_id, RunStatus.FAILED if error else RunStatus.FINISHED, error=error)
    run = ReconciliationRun.objects.using("default").get(pk=run_id)
    logger.info(
        "An account was reconciled.",
        extra={
            "gateway": gateway_name,
            "status": run.status,
            "lines": run.lines,
            "exceptions": run.exceptions,
            "booked": run.booked,
        },
    )
    return run


def _carry_out(adapter: Gateway, run_id: UUID, *, since: datetime | None, now: datetime) -> str:
    """Return why it could not be done to the end, "" when it was."""
    whole = Pass(adapter, run_id, since=since, begun_at=now)
    try:
        whole.read_list()
        whole.look_for_missing()
        whole.end()
    except Operational as error:
        cause = error.facts.get("error")
        return f"{error.message} ({cause})" if cause else error.message
    return ""
