"""Handing events to a subscription: effect, inbox and position in one transaction, so once each."""

import logging
from dataclasses import dataclass
from random import Random
from typing import Any

from django.db import InterfaceError, OperationalError, connection, transaction
from structlog.contextvars import bound_contextvars

from resilience.crashpoints import crashpoint
from resilience.events import dead_letters
from resilience.events.positions import Position, PositionMovedError, advance, claim, pending, postpone
from resilience.events.reading import Found, Page, read_page
from resilience.events.subscription import Subscription
from resilience.retry import wait_s

logger = logging.getLogger(__name__)

_RANDOM = Random()


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


def run_once(subscription: Subscription, *, limit: int | None = None, random: Random = _RANDOM) -> Counts:
    """Handle the next batch (at most `limit`, or its own size); never raises what the handler raises.

    A batch that fails is tried again event by event; the event at fault waits with full jitter, at the
    head of this subscription alone, and after its last attempt becomes a dead letter.
    Returns empty counts when there is nothing to do, or another process has the subscription.
    Raises what the database raises when it is away.
    """
    subscription_id = pending(subscription)
    if subscription_id is None:
        return Counts()
    try:
        return _run(subscription, subscription_id, limit=limit or subscription.batch_size)
    except _HandlerFailedError as failure:
        if len(failure.found) == 1:
            return _fail(subscription, failure, random=random)
        events = len(failure.found)
    return _run_one_by_one(subscription, subscription_id, events=events, random=random)


def _run_one_by_one(
    subscription: Subscription, subscription_id: int, *, events: int, random: Random
) -> Counts:
    counts = Counts()
    for _event in range(events):
        try:
            counts += _run(subscription, subscription_id, limit=1)
        except _HandlerFailedError as failure:
            return counts + _fail(subscription, failure, random=random)
    return counts


def _run(subscription: Subscription, subscription_id: int, *, limit: int) -> Counts:
    position, page, connected = None, None, None
    try:
        with transaction.atomic():
            position = claim(subscription_id)
            if position is None:
                return Counts()
            # Kept, because Django forgets a connection that breaks.
            connected = connection.connection
            page = _read(subscription, position, limit=limit)
            if page.end == position.cursor:
                return Counts()
            _handle(subscription, position, page)
    except PositionMovedError:
        raise
    except Exception as error:
        # A commit may fail too: a deferred constraint is the handler's, a lost connection is not.
        if position is None or page is None or not page.found or _is_outage(error, connected):
            raise
        raise _HandlerFailedError(position, page.found) from error
    return Counts(handled=len(page.found), skipped=page.skipped)


def _read(subscription: Subscription, position: Position, *, limit: int) -> Page:
    return read_page(
        position.cursor,
        types=subscription.types,
        limit=1 if position.attempts else limit,
        subscription_id=position.subscription_id,
    )


def _handle(subscription: Subscription, position: Position, page: Page) -> None:
    if page.found:
        with bound_contextvars(**_ids_of(subscription, page)):
            subscription.handle([found.event for found in page.found])
    crashpoint("events.before_advance")
    advance(position, to=page.end, handled=[found.event.id for found in page.found])
    crashpoint("events.before_commit")


def _ids_of(subscription: Subscription, page: Page) -> dict[str, str]:
    """Return what log lines of the handler carry: of one event its ids, of several the first one's."""
    event = page.found[0].event
    ids = {"subscription": subscription.name, "event_id": str(event.id)}
    if len(page.found) == 1:
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
