"""What happened: breakers that moved, flags and switches turned, audits that failed, what operators did."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import connections

from config.dashboard.gamedays.reports import held

INCIDENTS_MAX = 40


@dataclass(frozen=True)
class Incident:
    """`kind` is what it is of (breaker, flag, audit, failover, …); `text` is read as it is."""

    at: datetime
    kind: str
    text: str
    by: str


def incidents(*, since: datetime, alias: str) -> list[Incident]:
    """Return the newest incidents since then, the newest first, in one statement."""
    with connections[alias].cursor() as cursor:
        cursor.execute(_INCIDENTS, {"since": since, "limit": INCIDENTS_MAX})
        found = [Incident(*row) for row in cursor.fetchall()]
    return sorted([*found, *_game_days(since)], key=lambda one: one.at, reverse=True)[:INCIDENTS_MAX]


def _game_days(since: datetime) -> Iterator[Incident]:
    for one in held(since=since):
        yield Incident(one.began_at, "gameday", f"Game day {one.scenario}: the fault begins", "")
        yield Incident(
            one.healed_at, "gameday", f"Game day {one.scenario}: healed; verdict {one.verdict}", ""
        )


# That a breaker probes, and stays open, is no news.
# Each part takes its newest before they are put together: by an index on its time, or of a small table.
_INCIDENTS = """
SELECT at, kind, text, by FROM (
    (SELECT at, 'breaker' AS kind,
            format('Breaker %%s went from %%s to %%s%%s', breaker, before, after,
                   CASE reason WHEN '' THEN '' ELSE ': ' || replace(reason, '_', ' ') END) AS text,
            '' AS by
     FROM resilience_breaker_transition
     WHERE at >= %(since)s AND scope = 'fleet'
       AND after NOT IN ('half_open', 'ramping') AND before <> 'half_open'
     ORDER BY at DESC LIMIT %(limit)s)
    UNION ALL
    (SELECT at, 'force', format('Breaker %%s: %%s %%s: %%s', name, action, state, reason), operator
     FROM resilience_breaker_override_change WHERE at >= %(since)s ORDER BY at DESC LIMIT %(limit)s)
    UNION ALL
    (SELECT at, 'flag', format('Flag %%s: %%s: %%s', name, change, reason), by
     FROM resilience_flag_change WHERE at >= %(since)s ORDER BY at DESC LIMIT %(limit)s)
    UNION ALL
    (SELECT finished_at, 'audit', format('Audit ended with verdict %%s', verdict), ''
     FROM resilience_audit_run WHERE finished_at >= %(since)s AND verdict <> 'pass'
     ORDER BY finished_at DESC LIMIT %(limit)s)
    UNION ALL
    (SELECT at, 'subscription', format('Subscription %%s: %%s: %%s', subscription, change, reason), by
     FROM resilience_subscription_change WHERE at >= %(since)s ORDER BY at DESC LIMIT %(limit)s)
    UNION ALL
    (SELECT at, 'saga', format('Saga %%s: %%s: %%s', saga_id, action, reason), operator
     FROM resilience_operator_action WHERE at >= %(since)s ORDER BY at DESC LIMIT %(limit)s)
    UNION ALL
    (SELECT seen_at, 'failover',
            format('Another server is the primary: %%s, on timeline %%s', place, timeline), ''
     FROM resilience_primary_timeline AS later
     WHERE seen_at >= %(since)s
       AND EXISTS (SELECT FROM resilience_primary_timeline AS first WHERE first.timeline < later.timeline)
     ORDER BY seen_at DESC LIMIT %(limit)s)
    UNION ALL
    (SELECT at, 'staff', format('%%s %%s %%s: %%s', replace(action, '-', ' '), subject, outcome, reason), by
     FROM resilience_staff_action WHERE at >= %(since)s ORDER BY at DESC LIMIT %(limit)s)
) AS happened
ORDER BY at DESC
LIMIT %(limit)s
"""
