"""What of payments may wait, and how long before somebody should know."""

from payments.gateways.guarded import breaker_name
from payments.gateways.registry import gateway_names
from payments.states import NoticeStatus
from resilience.breaker import standing_of
from resilience.health.backlogs import Backlog, register_backlog
from resilience.health.check import PASSED, Check, Finding, Scope, Status, register
from resilience.pulse import Query

_IN_DOUBT = """
    SELECT extract(epoch FROM clock_timestamp() - min(in_doubt_since))
    FROM payments_payment WHERE in_doubt_since IS NOT NULL
"""
_UNEXPLAINED = """
    SELECT count(*) FROM (
        SELECT FROM payments_reconciliation_exception WHERE resolved_at IS NULL LIMIT 1000
    ) AS waiting
"""
_NOTICES = f"""
    SELECT extract(epoch FROM clock_timestamp() - min(received_at))
    FROM payments_gateway_notice WHERE status = '{NoticeStatus.RECEIVED}'
"""  # noqa: S608 - a word of an enum

register_backlog(
    Backlog(
        name="payments:oldest_in_doubt_s",
        unit="s",
        question=lambda: Query(_IN_DOUBT),
        # A lost answer is settled by the first question that a gateway answers, seconds later; its reads
        # may lag by a minute (payments/steps/exchange.py).
        warn=120,
        fail=900,
        meaning="Some orders wait until their gateway says what became of a call. Nobody is charged twice.",
        output="A payment is in doubt for too long: see docs/runbooks/payment-in-doubt.md.",
    )
)
register_backlog(
    Backlog(
        name="reconciliation:unexplained",
        unit="exceptions",
        question=lambda: Query(_UNEXPLAINED),
        warn=1,
        fail=100,
        meaning="A gateway's list and our books differ, and a person has to find out why. Orders go on.",
        output="Differences wait: see docs/runbooks/reconciliation-exception.md.",
    )
)
register_backlog(
    Backlog(
        name="webhooks:oldest_unhandled_s",
        unit="s",
        question=lambda: Query(_NOTICES),
        warn=30,
        fail=300,
        meaning="What gateways told us is applied late; payments are asked about all the same.",
        output="A gateway's notice was stored and not handled yet.",
    )
)


def _gateway_check(account: str) -> Check:
    def look() -> Finding:
        standing = standing_of(breaker_name(account))
        if not standing.is_reduced:
            return PASSED
        state = (standing.forced or standing.state).value.replace("_", " ")
        why = standing.forced_reason or standing.reason.replace("_", " ")
        return Finding(Status.FAIL, output=f"Its breaker is {state}: {why}")

    return Check(
        name=f"gateway:{account}",
        component_type="component",
        scope=Scope.SHARED,
        is_hard=False,
        meaning=f"Payments through {account} wait, none is lost; those that may go through another do.",
        look=look,
    )


register(*(_gateway_check(account) for account in gateway_names()))
