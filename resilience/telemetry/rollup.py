"""Ten seconds become minutes, minutes become hours, and what is old goes.

Each roll-up computes a stretch of time anew from the finer table and writes what differs: run twice, late or
by two workers at once, the result is the same. It reaches back as far as a process that was cut off from the
database may still hand on slots of before.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction

# A process keeps ten minutes of an outage in their slots (flusher.SLOTS_MAX), and then needs a moment.
LATE_MAX = timedelta(minutes=15)
# How long each table is kept. Three hours at ten seconds show an incident as it was; three days of minutes,
# the night before and the same time yesterday; thirteen months of hours, the same month last year.
# With 150 live series that is some 160,000, 650,000 and 1,400,000 rows at most, or 400 MB; series that
# stand still have no rows.
KEEP_10S = timedelta(hours=3)
KEEP_MINUTES = timedelta(days=3)
KEEP_HOURS = timedelta(days=396)
# A process that was cut off for longer than this, and then sends its last batch again, counts it twice.
KEEP_WRITERS = timedelta(days=7)
# Rows that one statement deletes; many short ones hold no lock for long.
PRUNE_ROWS_MAX = 20_000


@dataclass(frozen=True)
class Pruned:
    """Rows that were deleted."""

    rows: int


def roll_up(*, now: datetime) -> None:
    """Bring minutes and hours up to date."""
    with connection.cursor() as cursor:
        cursor.execute(_MINUTES, {"late_from": now - LATE_MAX})
        cursor.execute(_HOURS, {"late_from": now - LATE_MAX})


def prune(*, now: datetime, rows_max: int = PRUNE_ROWS_MAX) -> Pruned:
    """Delete what is older than its table keeps, at most `rows_max` rows of each."""
    rows = 0
    with connection.cursor() as cursor:
        for table, keep in _KEPT.items():
            with transaction.atomic():
                cursor.execute(_PRUNE.format(table=table), [now - keep, rows_max])
            rows += cursor.rowcount
    return Pruned(rows)


_KEPT = {
    "resilience_metric_10s": KEEP_10S,
    "resilience_metric_minute": KEEP_MINUTES,
    "resilience_metric_hour": KEEP_HOURS,
    "resilience_metric_writer": KEEP_WRITERS,
}
_PRUNE = """
DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table} WHERE at < %s LIMIT %s))
"""
# From the last span that was rolled up, should nobody have done so for a while.
_ROLL_UP = """
INSERT INTO resilience_metric_{coarse} AS known (series, at, value, peak, count, total, buckets)
SELECT series, date_trunc('{coarse}', at, 'UTC') AS begun, sum(value), max(peak), sum(count), sum(total),
       resilience_sum_buckets(buckets)
FROM resilience_metric_{fine}
WHERE at >= least(date_trunc('{coarse}', %(late_from)s::timestamptz, 'UTC'),
                  (SELECT coalesce(max(at), '-infinity') FROM resilience_metric_{coarse}))
GROUP BY series, begun
ORDER BY series, begun
ON CONFLICT (series, at) DO UPDATE SET
    value = excluded.value, peak = excluded.peak, count = excluded.count, total = excluded.total,
    buckets = excluded.buckets
WHERE (known.value, known.count, known.total)
      IS DISTINCT FROM (excluded.value, excluded.count, excluded.total)
"""
_MINUTES = _ROLL_UP.format(coarse="minute", fine="10s")
_HOURS = _ROLL_UP.format(coarse="hour", fine="minute")
