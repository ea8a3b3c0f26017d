"""Tallies in PostgreSQL: kept from events, made anew from the log, and compared with it.

Each batch is added in the transaction that advances the subscription, so once. Making anew and comparing
hold the subscription meanwhile: the log up to its position is what the tallies have to say. What the log has
forgotten is read from the lake, without which it would not have forgotten it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, fields
from datetime import datetime, timedelta

from django.db import connection, transaction

from analytics.models import Tally
from analytics.tallies import TYPES, Amount, Key, beginning, tallied
from resilience.events import Cursor, Event, hold, keep_days, read_after
from resilience.routing.databases import PRIMARY

# Live tiles show hours of minutes; whoever wants more asks by the hour.
MINUTES_KEPT = timedelta(days=7)
SUBSCRIPTION = "analytics.tallies"
_PAGE = 2_000
_COLUMNS = [field.name for field in (*fields(Key), *fields(Amount))]
_ADD = """
INSERT INTO analytics_tally (grain, at, measure, currency, method_type, gateway, code, count, amount_minor)
SELECT * FROM unnest(
    %s::text[], %s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
    %s::bigint[], %s::bigint[]
)
ON CONFLICT (grain, at, measure, currency, method_type, gateway, code) DO UPDATE
SET count = analytics_tally.count + excluded.count,
    amount_minor = analytics_tally.amount_minor + excluded.amount_minor
"""


def tally(events: Sequence[Event]) -> None:
    """Add what `events` say."""
    _add(tallied(events))


def rebuild(*, now: datetime) -> int:
    """Make all tallies anew from the log, in one transaction; return how many there are."""
    with transaction.atomic(using=PRIMARY), hold(SUBSCRIPTION) as position:
        sums = _from_events(position, now=now)
        Tally.objects.using(PRIMARY).all().delete()
        _add(sums)
    return len(sums)


def differences(*, now: datetime) -> list[str]:
    """Return, in words, where the tallies are not what the log says."""
    with transaction.atomic(using=PRIMARY), hold(SUBSCRIPTION) as position:
        should = _from_events(position, now=now)
        has = {
            Key(*row[:-2]): Amount(*row[-2:])
            for row in Tally.objects.using(PRIMARY).values_list(*_COLUMNS)
            if _is_kept(row[0], row[1], now=now)
        }
    return [
        f"{key.measure} in the {key.grain} of {key.at:%Y-%m-%d %H:%M}: tallied "
        f"{has.get(key, Amount())}, the log says {should.get(key, Amount())}"
        for key in sorted(should.keys() | has.keys())
        if has.get(key) != should.get(key)
    ]


def prune(*, now: datetime) -> int:
    """Forget minutes that are too old for a live tile; return how many."""
    old = Tally.objects.using(PRIMARY).filter(grain="minute", at__lt=beginning(now - MINUTES_KEPT, "day"))
    return old.delete()[0]


def _from_events(end: Cursor, *, now: datetime) -> dict[Key, Amount]:
    sums: dict[Key, Amount] = {}
    for events in _all_events(end):
        for key, amount in tallied(events).items():
            if _is_kept(key.grain, key.at, now=now):
                sums[key] = sums.get(key, Amount()) + amount
    return sums


def _all_events(end: Cursor) -> Iterator[list[Event]]:
    mark = keep_days()
    since = None if mark is None or mark.xid == 0 else mark.moment
    if since is not None:
        yield from _forgotten_events(since)
    cursor = Cursor()
    while cursor < end:
        page = read_after(cursor, types=TYPES, limit=_PAGE)
        if page.end == cursor:
            break
        cursor = page.end
        yield [
            one.event
            for one in page.found
            if one.cursor <= end and (since is None or one.event.recorded_at >= since)
        ]


def _forgotten_events(since: datetime) -> Iterator[list[Event]]:
    # Seldom, and Arrow is heavy for whoever only tallies.
    from analytics.lake.keeping import rows_before
    from analytics.lake.manifest import read_manifest
    from analytics.lake.schema import event_of
    from analytics.lake.storage import storage

    lake = storage()
    for rows in rows_before(lake, read_manifest(lake), before=since):
        yield [event_of(row) for row in rows if row["type"] in TYPES]


def _is_kept(grain: str, at: datetime, *, now: datetime) -> bool:
    return grain != "minute" or at >= beginning(now - MINUTES_KEPT, "day")


def _add(sums: Mapping[Key, Amount]) -> None:
    if not sums:
        return
    # Sorted, so that two transactions take the rows in one order.
    rows = [(*astuple(key), *astuple(sums[key])) for key in sorted(sums)]
    with connection.cursor() as cursor:
        cursor.execute(_ADD, [list(column) for column in zip(*rows, strict=True)])
