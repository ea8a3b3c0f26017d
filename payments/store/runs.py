"""Reconciliation runs in SQL: one at a time per account, by a lease that a dead one does not renew."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from payments.errors import ReconciliationTakenOverError, ReconciliationUnderWayError
from payments.states import RunStatus
from resilience.ids import new_id
from resilience.sql import recordset

# The longest that a run does between two signs of life: one page of a list, or one look at a charge, of a
# few calls of at most 10 s each. Half of it would take a slow run for dead; twice of it lets a killed
# one keep the account closed for four minutes.
LEASE_S = 120

_LEASE_END = f"clock_timestamp() + interval '{LEASE_S} seconds'"

_BURY = """
UPDATE payments_reconciliation_run
SET status = 'failed', error = 'its process ended without a word', finished_at = clock_timestamp(),
    lease_until = NULL
WHERE gateway = %s AND status = 'running' AND lease_until < clock_timestamp()
"""

_SWEEP_FACTS = """
DELETE FROM payments_reconciled_fact f USING payments_reconciliation_run r
WHERE r.id = f.run_id AND r.gateway = %s AND r.status <> 'running'
"""

_BEGIN = f"""
INSERT INTO payments_reconciliation_run
  (id, gateway, status, since, lines, matched, booked, exceptions, under_way, accepted, summary, error,
   started_at, lease_until)
VALUES (%s, %s, 'running', %s, 0, 0, 0, 0, 0, 0, '{{}}', '', %s, {_LEASE_END})
ON CONFLICT (gateway) WHERE status = 'running' DO NOTHING
"""  # noqa: S608 # nothing of it comes from outside

_KEEP = f"""
UPDATE payments_reconciliation_run SET lease_until = {_LEASE_END} WHERE id = %s AND status = 'running'
"""  # noqa: S608

_WRITE = f"""
UPDATE payments_reconciliation_run
SET lines = %(lines)s, matched = %(matched)s, booked = %(booked)s, exceptions = %(exceptions)s,
    under_way = %(under_way)s, accepted = %(accepted)s, summary = %(summary)s, lease_until = {_LEASE_END}
WHERE id = %(run_id)s AND status = 'running'
"""  # noqa: S608

_END = """
UPDATE payments_reconciliation_run
SET status = %s, error = %s, finished_at = clock_timestamp(), lease_until = NULL
WHERE id = %s AND status = 'running'
"""

_NOTE_FACTS = """
INSERT INTO payments_reconciled_fact (run_id, fact)
SELECT %s, f.fact FROM json_to_recordset(%s) AS f (fact text)
ON CONFLICT DO NOTHING RETURNING fact
"""


@transaction.atomic
def begin_run(gateway: str, *, since: datetime | None, now: datetime) -> UUID:
    """Insert a run and return its id; one that died before is marked failed.

    Raises ReconciliationUnderWayError.
    """
    run_id = new_id()
    with connection.cursor() as cursor:
        cursor.execute(_BURY, [gateway])
        cursor.execute(_SWEEP_FACTS, [gateway])
        cursor.execute(_BEGIN, [run_id, gateway, since, now])
        if cursor.rowcount == 0:
            raise ReconciliationUnderWayError(
                f"{gateway} is being reconciled. Wait for it; a dead run is noticed after {LEASE_S} s."
            )
    return run_id


def keep_run(run_id: UUID) -> None:
    """Renew the lease. Raises ReconciliationTakenOverError."""
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, [run_id])
        _require_alive(cursor.rowcount)


def write_run(run_id: UUID, *, summary: Mapping[str, Any], **counts: int) -> None:
    """Write what the run has come to so far, and renew its lease. Raises ReconciliationTakenOverError.

    In the transaction of what it counts: a run that was taken over then commits nothing.
    """
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, {"run_id": run_id, "summary": json.dumps(summary), **counts})
        _require_alive(cursor.rowcount)


def end_run(run_id: UUID, status: RunStatus, *, error: str = "") -> None:
    """End a run, and forget which facts it met. One that was taken over has ended already."""
    with connection.cursor() as cursor:
        cursor.execute(_END, [status, error, run_id])
        cursor.execute("DELETE FROM payments_reconciled_fact WHERE run_id = %s", [run_id])


def note_facts(run_id: UUID, facts: Sequence[str]) -> Collection[str]:
    """Note that lines mentioned these facts of ours; return those that no line had mentioned before."""
    if not facts:
        return frozenset()
    with connection.cursor() as cursor:
        cursor.execute(_NOTE_FACTS, [run_id, recordset({"fact": fact} for fact in facts)])
        return frozenset(fact for (fact,) in cursor.fetchall())


def _require_alive(rows: int) -> None:
    if rows != 1:
        raise ReconciliationTakenOverError(
            "This run outlasted its lease and was taken for dead; start another."
        )
