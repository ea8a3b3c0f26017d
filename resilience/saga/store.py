"""The saga rows in SQL: one statement for a whole batch, whatever its size.

This is the hot path, so there is no ORM here. Times are the database's own (`clock_timestamp()`),
because leases must not depend on the clocks of the machines that hold them.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from django.db import connection

from resilience.ids import new_id
from resilience.saga.states import SagaStatus
from resilience.sql import recordset, uuid_array
from resilience.telemetry import trace


@dataclass(frozen=True)
class LogLine:
    """One line of the step log."""

    step: str
    direction: str
    attempt: int
    outcome: str
    error: str
    delay_s: float | None
    started_at: datetime
    finished_at: datetime


@dataclass
class Claimed:
    """A saga that this worker holds under `fence`; changed in memory, written by `checkpoint`.

    `status` is what it does; with a `parked_reason` its row says that it is parked from there.
    `signals` is how many had been given when it was claimed: one more, and its next look comes at once.
    `waited_s` is the wait before this try, read from the log; None before a step's first.
    """

    id: UUID
    definition: str
    version: int
    business_key: UUID
    status: SagaStatus
    cursor: int
    attempt: int
    waits: int
    data: dict[str, object]
    reason: str
    deadline_at: datetime
    abort_requested: bool
    fence: int
    signals: int = 0
    was_parked: bool = False
    waited_s: float | None = None  # before this try, as the log has it; None before a step's first
    trace: str = ""
    due_at: datetime | None = None
    asked_at: datetime | None = None
    parked_reason: str = ""
    holds_lease: bool = True
    log: list[LogLine] = field(default_factory=list)


@dataclass(frozen=True)
class Start:
    """A saga to be started."""

    definition: str
    version: int
    business_key: UUID
    data: dict[str, object]
    due_at: datetime
    deadline_at: datetime


_INSERT = """
INSERT INTO resilience_saga (id, definition, version, business_key, status, cursor, attempt, waits, data,
                             reason, parked_from, parked_reason, abort_requested, due_at, deadline_at,
                             lease_owner, fence, trace, created_at)
VALUES (%s, %s, %s, %s, 'running', 0, 0, 0, %s, '', '', '', false, %s, %s, '', 0, %s, %s)
ON CONFLICT (definition, business_key) DO NOTHING
"""

_RING = """
UPDATE resilience_saga s SET rung_at = clock_timestamp()
FROM (SELECT id FROM resilience_saga
      WHERE due_at <= clock_timestamp()
        AND (lease_until IS NULL OR lease_until < clock_timestamp())
        AND (rung_at IS NULL OR rung_at < clock_timestamp() - make_interval(secs => %s))
      ORDER BY due_at LIMIT %s FOR NO KEY UPDATE SKIP LOCKED) due
WHERE s.id = due.id
RETURNING s.id
"""

_CLAIM = """
UPDATE resilience_saga s
SET lease_owner = %s, lease_until = clock_timestamp() + make_interval(secs => %s), fence = s.fence + 1
FROM (SELECT id FROM resilience_saga
      WHERE id = ANY(%s::uuid[]) AND due_at <= clock_timestamp()
        AND (lease_until IS NULL OR lease_until < clock_timestamp())
      ORDER BY id FOR NO KEY UPDATE SKIP LOCKED) due
WHERE s.id = due.id
RETURNING s.id, s.definition, s.version, s.business_key,
          CASE WHEN s.status = 'parked' THEN s.parked_from ELSE s.status END,
          s.cursor, s.attempt, s.waits, s.data, s.reason, s.deadline_at, s.abort_requested, s.fence,
          s.signals, s.parked_reason, s.status = 'parked', CASE WHEN s.attempt + s.waits > 0 THEN
            (SELECT delay_s FROM resilience_saga_step WHERE saga_id = s.id ORDER BY id DESC LIMIT 1) END,
          s.trace
"""

_GUARD = """
SELECT s.id, s.abort_requested
FROM resilience_saga s JOIN json_to_recordset(%s) AS held (id uuid, fence bigint)
  ON s.id = held.id AND s.fence = held.fence
ORDER BY s.id FOR NO KEY UPDATE OF s
"""

_CHECKPOINT = """
WITH moved AS (
  UPDATE resilience_saga s
  SET fence = s.fence + 1, status = c.status, cursor = c.cursor, attempt = c.attempt, waits = c.waits,
      data = c.data, reason = c.reason, parked_from = c.parked_from, parked_reason = c.parked_reason,
      due_at = CASE WHEN c.holds_lease THEN s.due_at
                    WHEN c.status IN ('completed', 'compensated') THEN NULL
                    WHEN s.signals <> c.signals THEN LEAST(c.due_at, clock_timestamp())
                    ELSE c.due_at END,
      lease_owner = CASE WHEN c.holds_lease THEN s.lease_owner ELSE '' END,
      lease_until = CASE WHEN c.holds_lease THEN clock_timestamp() + make_interval(secs => %s) END,
      rung_at = CASE WHEN c.holds_lease THEN s.rung_at END,
      ended_at = CASE WHEN c.status IN ('completed', 'compensated') THEN clock_timestamp() END
  FROM json_to_recordset(%s)
    AS c (id uuid, fence bigint, status text, cursor smallint, attempt int, waits int, data jsonb,
          reason text, parked_from text, parked_reason text, due_at timestamptz, holds_lease boolean,
          signals int)
  WHERE s.id = c.id AND s.fence = c.fence
  RETURNING s.id
), logged AS (
  INSERT INTO resilience_saga_step (saga_id, fence, step, direction, attempt, outcome, error, delay_s,
                                    started_at, finished_at)
  SELECT * FROM json_to_recordset(%s)
    AS l (saga_id uuid, fence bigint, step text, direction text, attempt int, outcome text, error text,
          delay_s float8, started_at timestamptz, finished_at timestamptz)
)
SELECT count(*) FROM moved
"""

_REQUEST_ABORT = """
UPDATE resilience_saga
SET abort_requested = true,
    due_at = CASE WHEN status = 'parked' THEN due_at ELSE LEAST(due_at, clock_timestamp()) END
WHERE definition = %s AND business_key = %s AND status IN ('running', 'compensating', 'parked')
"""

# A hint that was given before the signal is forgotten: whoever read it may have looked too early.
_SIGNAL = """
UPDATE resilience_saga s
SET signals = s.signals + 1, rung_at = NULL, due_at = LEAST(s.due_at, clock_timestamp())
FROM (SELECT id FROM resilience_saga
      WHERE business_key = ANY(%s::uuid[]) AND due_at IS NOT NULL
      ORDER BY id FOR NO KEY UPDATE) waiting
WHERE s.id = waiting.id
RETURNING s.business_key
"""


class LostFenceError(Exception):
    """A checkpoint met a saga that somebody else has claimed since; its transaction must not commit."""


def insert(start: Start, *, now: datetime) -> bool:
    """Insert a saga that is due at once; return False when its business key has one already."""
    what = (new_id(), start.definition, start.version, start.business_key, json.dumps(start.data))
    when = (start.due_at, start.deadline_at, trace.current(), now)
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [*what, *when])
        return cursor.rowcount == 1


def ring(*, limit: int, again_after_s: float) -> list[UUID]:
    """Return up to `limit` due, unclaimed sagas, longest due first, and note that they were hinted at.

    Left out: hinted at less than `again_after_s` ago, or locked by another dispatcher.
    """
    with connection.cursor() as cursor:
        cursor.execute(_RING, [again_after_s, limit])
        return [row[0] for row in cursor.fetchall()]


def claim(ids: Sequence[UUID], *, owner: str, lease_s: float) -> list[Claimed]:
    """Claim those of `ids` that are due and free, for `lease_s` seconds; the others are left out."""
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [owner, lease_s, uuid_array(ids)])
        rows = cursor.fetchall()
    return [
        Claimed(
            id=row[0],
            definition=row[1],
            version=row[2],
            business_key=row[3],
            status=SagaStatus(row[4]),
            cursor=row[5],
            attempt=row[6],
            waits=row[7],
            data=json.loads(row[8]),
            reason=row[9],
            deadline_at=row[10],
            abort_requested=row[11],
            fence=row[12],
            signals=row[13],
            parked_reason=row[14] if row[15] else "",
            was_parked=row[15],
            waited_s=row[16],
            trace=row[17],
        )
        for row in rows
    ]


def guard(claimed: Sequence[Claimed]) -> list[Claimed]:
    """Lock those of `claimed` whose fence still stands and return copies of them.

    The rest belongs to others now. Copies, because what a transaction does to them must be forgotten
    when it rolls back. They carry an abort that was requested meanwhile.
    """
    with connection.cursor() as cursor:
        cursor.execute(_GUARD, [recordset({"id": saga.id, "fence": saga.fence} for saga in claimed)])
        aborts = dict(cursor.fetchall())
    return [replace(saga, abort_requested=aborts[saga.id], log=[]) for saga in claimed if saga.id in aborts]


def checkpoint(claimed: Sequence[Claimed], *, lease_s: float) -> None:
    """Write the state and the new log lines of `claimed`, extending the lease of those that go on.

    Each checkpoint moves the fence on, so that a worker that does not know whether its commit came
    through (the connection broke) cannot write again. Raises LostFenceError when one is no longer ours.
    """
    states = recordset(_state(saga) for saga in claimed)
    lines = recordset(_line(saga, line) for saga in claimed for line in saga.log)
    with connection.cursor() as cursor:
        cursor.execute(_CHECKPOINT, [lease_s, states, lines])
        (moved,) = cursor.fetchone()
    if moved != len(claimed):
        raise LostFenceError(f"{len(claimed) - moved} of {len(claimed)} sagas were claimed by somebody else")
    for saga in claimed:
        saga.fence += 1
        saga.log.clear()


def request_abort(*, definition: str, business_key: UUID) -> bool:
    """Ask a saga to turn round before its pivot; return False when there is none or it ended.

    A parked one turns round when an operator lets it go on.
    """
    with connection.cursor() as cursor:
        cursor.execute(_REQUEST_ABORT, [definition, business_key])
        return cursor.rowcount == 1


def signal(business_keys: Sequence[UUID]) -> set[UUID]:
    """Let every saga of these keys that waits look again at once; return the keys that have one."""
    with connection.cursor() as cursor:
        cursor.execute(_SIGNAL, [uuid_array(business_keys)])
        return {row[0] for row in cursor.fetchall()}


def _state(saga: Claimed) -> dict[str, object]:
    return {
        "id": saga.id,
        "fence": saga.fence,
        "status": SagaStatus.PARKED if saga.parked_reason else saga.status,
        "cursor": saga.cursor,
        "attempt": saga.attempt,
        "waits": saga.waits,
        "data": saga.data,
        "reason": _writable(saga.reason),
        "parked_from": saga.status if saga.parked_reason else "",
        "parked_reason": _writable(saga.parked_reason),
        "due_at": saga.due_at,
        "holds_lease": saga.holds_lease,
        "signals": saga.signals,
    }


def _line(saga: Claimed, line: LogLine) -> dict[str, object]:
    return {**vars(line), "saga_id": saga.id, "fence": saga.fence, "error": _writable(line.error)}


def _writable(text: str) -> str:
    """Return `text` as PostgreSQL takes it: an error's own words must not keep it from being noted."""
    return text.replace("\x00", "").encode(errors="replace").decode()
