"""Handing events to a subscription: effect, inbox and position in one transaction, so once each."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection, transaction
from structlog.contextvars import bound_contextvars

from resilience.crashpoints import crashpoint
from resilience.events import dead_letters
from resilience.events.event import Event
from resilience.events.positions import Position, PositionMovedError, advance, claim, pending, postpone
from resilience.events.reading import Found, Page, read_page
from resilience.events.subscription import Subscription
from resilience.retry import wait_s

logger = logging.getLogger(__name__)

_RANDOM = Random()
# Then a batch is tried again: whoever serves gives a sign of life, and looks whether to stop.
_ONE_BY_ONE_MAX = 250


@dataclass(frozen=True)
class Counts:
    """What one run did. `skipped` are events read that the subscription does not want or had already."""

    handled: int = 0
    skipped: int = 0
    failed: int = 0
    died: int = 0

    @property
    def idle(self) -> bool:
        """Nothing was read."""
        return self == Counts()

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.handled + other.handled,
            self.skipped + other.skipped,
            self.failed + other.failed,
            self.died + other.died,
        )


class _HandlerFailedError(Exception):
    """The handler raised, and its transaction was undone; the cause says how."""

    def __init__(self, position: Position, found: tuple[Found, ...]) -> None:
        super().__init__(position, found)
        self.position = position
        self.found = found


def run_once(
    subscription: Subscription, *, share: int = 0, limit: int | None = None, random: Random = _RANDOM
) -> Counts:
    """Handle the next batch (at most `limit`, or its own size) of a lane of `share`, from 0.

    Never raises what the handler raises. A batch that fails is tried again event by event; the event at
    fault waits with full jitter, at the head of its lane alone, and after its last attempt becomes a dead
    letter. Returns empty counts when there is nothing to do, or another process has the lane.
    Raises what the database raises when it is away.
    """
    lane_id = pending(subscription, share=share)
    if lane_id is None:
        return Counts()
    try:
        return _run(subscription, lane_id, limit=limit or subscription.batch_size)
    except _HandlerFailedError as failure:
        if len(failure.found) == 1:
            return _fail(subscription, failure, random=random)
        events = len(failure.found)
    return _run_one_by_one(subscription, lane_id, events=events, random=random)


def _run_one_by_one(subscription: Subscription, lane_id: int, *, events: int, random: Random) -> Counts:
    counts = Counts()
    for _event in range(min(events, _ONE_BY_ONE_MAX)):
        try:
            counts += _run(subscription, lane_id, limit=1)
        except _HandlerFailedError as failure:
            return counts + _fail(subscription, failure, random=random)
    return counts


def _run(subscription: Subscription, lane_id: int, *, limit: int) -> Counts:
    position, page, connected = None, None, None
    try:
        with transaction.atomic():
            position = claim(lane_id)
            if position is None:
                return Counts()
            # Kept, because Django forgets a connection that breaks.
            connected = connection.connection
            page = _read(subscription, position, limit=limit)
            if page.end == position.cursor:
                return Counts()
            parked = _handle(subscription, position, page)
    except PositionMovedError:
        raise
    except Exception as error:
        # A commit may fail too: a deferred constraint is the handler's, a lost connection is not.
        if position is None or page is None or not page.found or _is_outage(error, connected):
            raise
        raise _HandlerFailedError(position, page.found) from error
    return Counts(handled=len(page.found) - parked, skipped=page.skipped, died=parked)


def _read(subscription: Subscription, position: Position, *, limit: int) -> Page:
    page = read_page(
        position.cursor,
        types=subscription.types,
        limit=1 if position.attempts else limit,
        subscription_id=position.subscription_id,
        lane=position.lane,
    )
    return page if position.bar is None else page.up_to(position.bar)


def _handle(subscription: Subscription, position: Position, page: Page) -> int:
    """Hand over what was found, and return how many events were parked instead."""
    parked = _parked(subscription, page.found)
    events = [found.event for found in page.found if found.event.aggregate_id not in parked]
    if events:
        with bound_contextvars(**_ids_of(subscription, events)):
            subscription.handle(events)
    for found in page.found:
        if found.event.aggregate_id in parked:
            dead_letters.bury(subscription.name, found.event, error=dead_letters.PARKED, attempts=0)
    crashpoint("events.before_advance")
    advance(position, to=page.end, handled=[event.id for event in events])
    crashpoint("events.before_commit")
    return len(page.found) - len(events)


def _parked(subscription: Subscription, found: Sequence[Found]) -> frozenset[UUID]:
    if subscription.on_poison == "skip" or not found:
        return frozenset()
    return dead_letters.waiting(subscription.name, {one.event.aggregate_id for one in found})


def _ids_of(subscription: Subscription, events: Sequence[Event]) -> dict[str, str]:
    """Return what log lines of the handler carry: of one event its ids, of several the first one's."""
    event = events[0]
    ids = {"subscription": subscription.name, "event_id": str(event.id)}
    if len(events) == 1:
        ids[f"{event.aggregate_type}_id"] = str(event.aggregate_id)
    return ids


def _is_outage(error: Exception, connected: Any) -> bool:
    # A handler that the server cut off for idling in its transaction lost its connection too, but
    # that is an InternalError, and its own fault.
    return bool(connected.closed) and isinstance(error, (OperationalError, InterfaceError))


def _fail(subscription: Subscription, failure: _HandlerFailedError, *, random: Random) -> Counts:
    """Count a failed attempt of one event, or bury it after its last."""
    position, (found,) = failure.position, failure.found
    cause = failure.__cause__
    error = dead_letters.describe(cause)
    attempt = position.attempts + 1
    facts = {
        "subscription": subscription.name,
        "event": str(found.event.id),
        "type": found.event.type,
        "attempt": attempt,
    }
    if attempt < (subscription.retry.attempts_max or 0):
        pause_s = wait_s(subscription.retry, attempt=attempt, random=random)
        postpone(position, wait_s=pause_s, error=error)
        logger.warning("An event could not be handled.", extra=facts | {"wait_s": pause_s}, exc_info=cause)
        return Counts(failed=1)
    with transaction.atomic():
        dead_letters.bury(subscription.name, found.event, error=error, attempts=attempt)
        advance(position, to=found.cursor, handled=[])
    logger.error("An event became a dead letter.", extra=facts, exc_info=cause)
    return Counts(failed=1, died=1)
