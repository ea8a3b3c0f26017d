"""What is written down of the moves of breakers, for the incidents feed: each once."""

from collections import deque
from datetime import datetime
from typing import Any

from resilience.breaker.report import Move
from resilience.ids import new_id
from resilience.pulse import Query
from resilience.telemetry import counter

# While the database is away; beyond this the oldest are lost.
WAITING_MAX = 500
ROWS_MAX = 50
_COLUMNS = 12
# Written again if nobody knows whether it was committed, hence its own id. What is old goes at the same time.
_WRITE = """
    WITH old AS (DELETE FROM resilience_breaker_transition WHERE id IN (
        SELECT id FROM resilience_breaker_transition
        WHERE at < now() - interval '30 days' ORDER BY at LIMIT 500))
    INSERT INTO resilience_breaker_transition (id, breaker, scope, before, after, reason, process, at,
        total, failed, slow, failing_workers)
    VALUES """
_ROW = "(" + ", ".join(["%s"] * _COLUMNS) + ")"


class Moves:
    """Used on the pulse's thread only."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Any, ...]] = deque(maxlen=WAITING_MAX)
        self._offered = 0

    def add(self, breaker: str, move: Move, at: datetime) -> None:
        """Take note of a move."""
        figures = move.figures
        scope = "fleet" if figures.is_fleet else "process"
        counter("breaker_transitions_total", breaker=breaker, scope=scope, to=move.after.value).add(1)
        self._waiting.append(
            (
                new_id(),
                breaker,
                scope,
                move.before.value,
                move.after.value,
                move.reason,
                at,
                figures.total,
                figures.failed,
                figures.slow,
                figures.failing_workers,
            )
        )

    def statement(self, process: str) -> Query | None:
        """Return what writes the oldest, None when there is nothing to write."""
        rows = list(self._waiting)[:ROWS_MAX]
        self._offered = len(rows)
        if not rows:
            return None
        parameters = tuple(value for row in rows for value in (*row[:6], process, *row[6:]))
        return Query(f"{_WRITE}{', '.join([_ROW] * len(rows))} ON CONFLICT (id) DO NOTHING", parameters)

    def forget_written(self) -> None:
        """Forget what the last statement wrote."""
        for _ in range(min(self._offered, len(self._waiting))):
            self._waiting.popleft()
        self._offered = 0
