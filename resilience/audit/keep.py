"""The table of runs: one audit at a time, and the last of them kept."""

import json
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction

from resilience.audit.report import Report, Verdict
from resilience.ids import new_id

# At one in five minutes, three and a half days: what an operator still asks about.
RUNS_KEPT = 1_000
# Whoever began it longer ago is dead: a task is killed sooner (config/tasks.py).
RUN_LASTS_MAX = timedelta(minutes=10)

_GIVE_UP = """
UPDATE resilience_audit_run SET verdict = 'unknown', finished_at = %s
WHERE verdict = 'running' AND started_at < %s
"""
_BEGIN = """
INSERT INTO resilience_audit_run (id, started_at, verdict, results) VALUES (%s, %s, 'running', '{}')
ON CONFLICT DO NOTHING
"""
_PRUNE = """
DELETE FROM resilience_audit_run
WHERE id IN (SELECT id FROM resilience_audit_run ORDER BY id DESC OFFSET %s)
"""
_END = """
UPDATE resilience_audit_run SET verdict = %s, finished_at = %s, results = %s
WHERE id = %s AND verdict = 'running'
"""


class AuditUnderWayError(Exception):
    """Another audit is running: two would ask the gateways twice and tell nothing more."""


def begin(*, now: datetime) -> UUID:
    """Note that an audit runs and return its id. Raises AuditUnderWayError while another does.

    One that never ended is given up as unknown; the oldest beyond `RUNS_KEPT` are forgotten.
    """
    run_id = new_id()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_GIVE_UP, [now, now - RUN_LASTS_MAX])
        cursor.execute(_BEGIN, [run_id, now])
        if cursor.rowcount == 0:
            raise AuditUnderWayError("An audit is running. Its result will be in the table of runs.")
        cursor.execute(_PRUNE, [RUNS_KEPT])
    return run_id


def end(run_id: UUID, report: Report) -> None:
    """Keep what an audit said; one that was given up meanwhile stays so."""
    _end(run_id, report.verdict, report.finished_at, report.as_json())


def fail(run_id: UUID, error: str, *, now: datetime) -> None:
    """Note that an audit could not be made."""
    _end(run_id, Verdict.UNKNOWN, now, {"error": error})


def _end(run_id: UUID, verdict: Verdict, finished_at: datetime, results: dict[str, object]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_END, [verdict.value, finished_at, json.dumps(results), run_id])
