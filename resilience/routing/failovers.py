"""Which servers have been the primary: written down by the primary itself, so that a failover is told of."""

from django.db import connection

from resilience.postgres.newest import TIMELINE


def note_primary() -> bool:
    """Write down the timeline of whoever is the primary now; tell whether it is one that was not known.

    One statement, and no write where it is known.
    """
    with connection.cursor() as cursor:
        cursor.execute(_NOTE)
        return cursor.rowcount == 1


_NOTE = f"""
INSERT INTO resilience_primary_timeline (timeline, place, seen_at)
SELECT timeline, coalesce(host(inet_server_addr()) || ':' || inet_server_port(), 'a local socket'),
       clock_timestamp()
FROM (SELECT ({TIMELINE}) AS timeline) AS now
WHERE timeline > 0 AND NOT EXISTS (
    SELECT FROM resilience_primary_timeline AS known WHERE known.timeline = now.timeline
)
ON CONFLICT (timeline) DO NOTHING
"""  # noqa: S608 - the only part put in is a constant
