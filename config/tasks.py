"""The Celery entrances of what needs all contexts."""

import logging

from celery import shared_task

from config.audit.run_audit import run_audit
from resilience import clock
from resilience.audit import Report, Verdict
from resilience.audit.keep import AuditUnderWayError, begin, end, fail

logger = logging.getLogger(__name__)

# A million orders take a minute or two; whatever is older than twice that is stuck in a socket. Below
# `RUN_LASTS_MAX`, so that a run that is given up is really dead.
_AUDIT_LASTS_MAX_S = 240


# Acknowledged early: an audit that died is not worth repeating, the next one comes in five minutes.
@shared_task(name="audit.run", acks_late=False, time_limit=_AUDIT_LASTS_MAX_S)
def run_scheduled_audit() -> None:
    """Audit everything that can be judged now, keep the result, and log each violation."""
    try:
        run_id = begin(now=clock.now())
    except AuditUnderWayError as error:
        logger.info("An audit was left out.", extra={"reason": str(error)})
        return
    try:
        report = run_audit(clock=clock.now)
    except Exception as error:
        fail(run_id, f"{type(error).__name__}: {error}", now=clock.now())
        raise
    end(run_id, report)
    _tell(report)


def _tell(report: Report) -> None:
    for result in report.results:
        for violation in result.violations:
            logger.error(
                "The audit found a violation.",
                extra={
                    "check": result.check.id,
                    "rows": list(violation.rows),
                    "violation": violation.message,
                    "violations": result.total,
                },
            )
        if result.verdict is Verdict.UNKNOWN:
            logger.warning(
                "The audit could not judge a check.", extra={"check": result.check.id, "error": result.error}
            )
