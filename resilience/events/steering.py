"""What an operator does to a subscription: let it wait, let it go on, hand it the past once more.

Each is written down with who and why. A replay goes beside what the subscription reads by itself: it moves
no position and asks no inbox, so only a handler that leaves everything as if it were once may get one.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from resilience.errors import Refusal
from resilience.events.models import EventReplay, SubscriptionChange, SubscriptionState
from resilience.events.positions import enrol
from resilience.events.reading import Cursor, Page, page_of, page_statement
from resilience.events.subscription import Subscription, subscription_named
from resilience.routing.databases import PRIMARY

# Handed over in one transaction; its first write holds back all other readers until it commits.
_BATCH = 100
# Rows looked at in one transaction, wanted or not: none is long, however rare the selected ones are.
_SCAN = 5000


class NotReplayableError(Refusal):
    """The subscription's handler does not bear an event twice."""

    code = "subscription_not_replayable"


class ReasonMissingError(Refusal):
    """Nobody said why."""

    code = "reason_missing"


@dataclass(frozen=True)
class Instruction:
    """Who wants it, why, and when."""

    operator: str
    reason: str
    now: datetime


@dataclass(frozen=True)
class Selection:
    """Which events: of `types` (empty: all that the subscription wants), that happened in [since, until)."""

    types: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    aggregate_id: UUID | None = None


def pause(subscription: Subscription, instruction: Instruction) -> None:
    """Let a subscription wait where it is; nothing is lost. Raises ReasonMissingError."""
    _set_paused(subscription, instruction, is_paused=True)


def resume(subscription: Subscription, instruction: Instruction) -> None:
    """Let a subscription go on where it waits. Raises ReasonMissingError."""
    _set_paused(subscription, instruction, is_paused=False)


def count_selected(subscription: Subscription, selection: Selection) -> int:
    """Return how many events a replay would hand over: the dry run."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, _parameters(subscription, selection, after=Cursor(), end_xid=None))
        count: int = cursor.fetchone()[0]
    return count


def begin_replay(
    subscription: Subscription,
    selection: Selection,
    instruction: Instruction,
    *,
    carried_per_s: float | None = None,
) -> UUID:
    """Write a replay down, and return its id for `run_replay`; workers carry it on if `carried_per_s` is set.

    Raises NotReplayableError and ReasonMissingError.
    """
    if not subscription.is_replayable:
        raise NotReplayableError(
            f"{subscription.name} counts what it is handed: make its figures anew instead of replaying."
        )
    with transaction.atomic(using=PRIMARY):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())")
            end_xid = int(cursor.fetchone()[0])
        row = EventReplay.objects.using(PRIMARY).create(
            subscription=subscription.name,
            types=list(selection.types),
            since=selection.since,
            until=selection.until,
            aggregate_id=selection.aggregate_id,
            end_xid=end_xid,
            begun_at=instruction.now,
            carried_per_s=carried_per_s,
        )
        _note(subscription, instruction, change=f"replay {row.pk}")
    return row.pk


def run_replay(
    subscription: Subscription, replay_id: UUID, *, per_s: float | None = None, within_s: float = math.inf
) -> int:
    """Hand over what is left of a replay, at most `per_s` events a second; return how many in all.

    After `within_s` it stops where it is.

    Effect and progress commit together: killed at any line, it is run again and goes on where it was.
    """
    began_at, handed = time.monotonic(), 0
    while time.monotonic() - began_at < within_s:
        page = _run_batch(subscription, replay_id, limit=_batch(per_s))
        if page is None:
            break
        handed += len(page.found)
        if per_s:
            time.sleep(max(0.0, began_at + handed / per_s - time.monotonic()))
    handled: int = EventReplay.objects.using(PRIMARY).get(pk=replay_id).handled
    return handled


def carry_on(*, within_s: float) -> int:
    """Carry on every replay that was left to workers, each for its part of `within_s`; return how many.

    Of two who do it at once each takes the next batch: the row is locked while one is handed over.
    """
    left = EventReplay.objects.using(PRIMARY).filter(done_at=None, carried_per_s__isnull=False)
    replays = list(left.order_by("begun_at"))
    for replay in replays:
        run_replay(
            subscription_named(replay.subscription),
            replay.pk,
            per_s=replay.carried_per_s,
            within_s=within_s / len(replays),
        )
    return len(replays)


def _run_batch(subscription: Subscription, replay_id: UUID, *, limit: int) -> Page | None:
    """Hand over what the next piece of the log holds, and return it; None when all of it is done."""
    with transaction.atomic(using=PRIMARY):
        row = EventReplay.objects.using(PRIMARY).select_for_update(no_key=True).get(pk=replay_id)
        if row.done_at is not None:
            return None
        selection = Selection(row.types, row.since, row.until, row.aggregate_id)
        after = Cursor(row.position_xid, row.position)
        page = _read(subscription, selection, after=after, end_xid=row.end_xid, limit=limit)
        if page.found:
            subscription.handle([replace(one.event, replay=True) for one in page.found])
            row.handled += len(page.found)
        if page.end == after:
            with connection.cursor() as cursor:
                cursor.execute("SELECT clock_timestamp()")
                row.done_at = cursor.fetchone()[0]
        row.position_xid, row.position = page.end.xid, page.end.position
        row.save(using=PRIMARY)
    return page


def _read(
    subscription: Subscription, selection: Selection, *, after: Cursor, end_xid: int, limit: int
) -> Page:
    parameters = _parameters(subscription, selection, after=after, end_xid=end_xid)
    with connection.cursor() as cursor:
        cursor.execute(_READ, {**parameters, "limit": limit, "scan": _SCAN})
        return page_of(cursor.fetchall(), after=after, limit=limit)


def _parameters(
    subscription: Subscription, selection: Selection, *, after: Cursor, end_xid: int | None
) -> dict[str, Any]:
    types = list(selection.types or subscription.types or ())
    return {
        "xid": str(after.xid),
        "position": after.position,
        "end_xid": None if end_xid is None else str(end_xid),
        "types": types or None,
        "since": selection.since,
        "until": selection.until,
        "aggregate": selection.aggregate_id,
    }


def _set_paused(subscription: Subscription, instruction: Instruction, *, is_paused: bool) -> None:
    enrol(subscription)
    with transaction.atomic(using=PRIMARY):
        _note(subscription, instruction, change="paused" if is_paused else "resumed")
        # The first lane's word holds for all: so no lane that comes to be meanwhile goes on.
        SubscriptionState.objects.using(PRIMARY).filter(name=subscription.name, lane=0).update(
            paused=is_paused, updated_at=instruction.now
        )


def _note(subscription: Subscription, instruction: Instruction, *, change: str) -> None:
    if not instruction.reason.strip():
        raise ReasonMissingError("Say why; whoever looks at it later has only that.")
    SubscriptionChange.objects.using(PRIMARY).create(
        subscription=subscription.name,
        change=change,
        by=instruction.operator,
        reason=instruction.reason,
        at=instruction.now,
    )


def _batch(per_s: float | None) -> int:
    return _BATCH if per_s is None else max(1, min(_BATCH, int(per_s)))


_BEFORE_IT_BEGAN = "xid < coalesce(%(end_xid)s::xid8, pg_snapshot_xmin(pg_current_snapshot()))"
_SELECTED = """
    (%(types)s::text[] IS NULL OR type = ANY (%(types)s::text[]))
    AND (%(since)s::timestamptz IS NULL OR occurred_at >= %(since)s)
    AND (%(until)s::timestamptz IS NULL OR occurred_at < %(until)s)
    AND (%(aggregate)s::uuid IS NULL OR aggregateid = %(aggregate)s)
"""
_COUNT = f"SELECT count(*) FROM resilience_event WHERE {_BEFORE_IT_BEGAN} AND {_SELECTED}"  # noqa: S608
_READ = page_statement(among=_BEFORE_IT_BEGAN, wanted=_SELECTED)
