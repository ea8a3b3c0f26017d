"""Events that a subscription gave up on: kept whole, and handed over again when somebody says so."""

from collections.abc import Collection, Iterator
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from resilience.errors import Operational, Refusal
from resilience.events.event import Event
from resilience.events.models import DeadLetter
from resilience.events.subscription import Handler, subscription_named
from resilience.routing.databases import PRIMARY

_ERROR_CHARS_MAX = 2000
_PAGE = 100
# What a letter says that was never tried, because one of its aggregate before it was given up.
PARKED = "parked: an earlier event of its aggregate is a dead letter"


class DeadLetterNotFoundError(Refusal):
    """No dead letter has this id."""

    code = "dead_letter_not_found"


class AlreadyRedeliveredError(Refusal):
    """The dead letter was handed over before, with success."""

    code = "dead_letter_already_redelivered"


class EarlierLetterWaitsError(Refusal):
    """The subscription keeps the order of an aggregate, and an earlier event of it is still a dead letter."""

    code = "dead_letter_out_of_order"


class RedeliveryFailedError(Operational):
    """The handler failed again; the dead letter stays, with the new error."""

    code = "dead_letter_redelivery_failed"


def waiting(subscription: str, aggregate_ids: Collection[UUID]) -> frozenset[UUID]:
    """Return which of these aggregates have a dead letter of `subscription` that is not redelivered yet."""
    letters = DeadLetter.objects.using(PRIMARY).filter(
        subscription=subscription, redelivered_at=None, aggregateid__in=aggregate_ids
    )
    return frozenset(letters.values_list("aggregateid", flat=True))


def bury(subscription: str, event: Event, *, error: str, attempts: int) -> None:
    """Write `event` down as a dead letter of `subscription`; an older letter of it takes the new error."""
    DeadLetter.objects.using(PRIMARY).update_or_create(
        subscription=subscription,
        event_id=event.id,
        defaults={
            "aggregatetype": event.aggregate_type,
            "aggregateid": event.aggregate_id,
            "sequence": event.sequence,
            "type": event.type,
            "version": event.version,
            "payload": event.data,
            "client": event.client,
            "occurred_at": event.occurred_at,
            "recorded_at": event.recorded_at,
            "error": error,
            "attempts": attempts,
            "died_at": Now(),
            "redelivered_at": None,
        },
    )


def redeliver(dead_letter_id: UUID) -> None:
    """Hand a dead letter to its subscription once more; its effect and the note of it commit together.

    Of a subscription that skips poison later events of the same aggregate may have been handled meanwhile:
    `Event.sequence` tells a handler. One that parks gets them in order: nothing behind this one was handled,
    and what comes meanwhile is parked until this commits. Raises DeadLetterNotFoundError,
    AlreadyRedeliveredError, UnknownSubscriptionError, EarlierLetterWaitsError, or RedeliveryFailedError,
    from what the handler raised.
    """
    letters = DeadLetter.objects.using(PRIMARY).filter(pk=dead_letter_id)
    try:
        with transaction.atomic(using=PRIMARY):
            letter = letters.select_for_update().first()
            if letter is None:
                raise DeadLetterNotFoundError("there is no such dead letter", dead_letter=dead_letter_id)
            if letter.redelivered_at is not None:
                raise AlreadyRedeliveredError("it was redelivered before", dead_letter=dead_letter_id)
            subscription = subscription_named(letter.subscription)
            if subscription.on_poison == "park":
                _refuse_out_of_order(letter)
            if _enter_inbox(letter):
                _handle(subscription.handle, letter)
            letters.update(redelivered_at=Now())
    except RedeliveryFailedError as failure:
        letters.update(attempts=F("attempts") + 1, error=describe(failure.__cause__))
        raise


def in_order(subscription: str) -> QuerySet[DeadLetter]:
    """Return the letters that wait, each aggregate's in the order of the log."""
    waiting = DeadLetter.objects.using(PRIMARY).filter(subscription=subscription, redelivered_at=None)
    return waiting.order_by("aggregateid", "sequence")


def redeliver_all(subscription: str) -> Iterator[tuple[DeadLetter, BaseException | None]]:
    """Redeliver every letter that waits, in order; yield each one tried, with what its handler raised.

    Where one fails again its aggregate's later ones are left alone: they would be out of order. One that
    somebody else redelivers meanwhile is left out.
    """
    letters, reached = in_order(subscription), Q()
    while page := list(letters.filter(reached)[:_PAGE]):
        last = page[-1]
        reached = Q(aggregateid__gt=last.aggregateid) | Q(
            aggregateid=last.aggregateid, sequence__gt=last.sequence
        )
        for letter in page:
            try:
                redeliver(letter.pk)
            except AlreadyRedeliveredError:
                continue
            except RedeliveryFailedError as failure:
                yield letter, failure.__cause__
                reached = Q(aggregateid__gt=letter.aggregateid)
                break
            yield letter, None


def describe(error: BaseException | None) -> str:
    """Return an error's class and message, short enough and fit for a text column."""
    return f"{type(error).__name__}: {error}".replace("\x00", "")[:_ERROR_CHARS_MAX]


def _refuse_out_of_order(letter: DeadLetter) -> None:
    earlier = DeadLetter.objects.using(PRIMARY).filter(
        subscription=letter.subscription,
        aggregateid=letter.aggregateid,
        sequence__lt=letter.sequence,
        redelivered_at=None,
    )
    if first := earlier.order_by("sequence").first():
        raise EarlierLetterWaitsError(
            f"An earlier event of its {letter.aggregatetype} waits too: redeliver {first.pk} before it.",
            dead_letter=letter.pk,
        )


def _enter_inbox(letter: DeadLetter) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_ENTER_INBOX, [letter.event_id, letter.subscription])
        return cursor.rowcount == 1


_ENTER_INBOX = """
INSERT INTO resilience_inbox (subscription_id, event_id)
SELECT id, %s FROM resilience_subscription WHERE name = %s AND lane = 0
ON CONFLICT DO NOTHING
"""


def _handle(handler: Handler, letter: DeadLetter) -> None:
    event = Event(
        id=letter.event_id,
        type=letter.type,
        version=letter.version,
        aggregate_type=letter.aggregatetype,
        aggregate_id=letter.aggregateid,
        sequence=letter.sequence,
        data=letter.payload,
        occurred_at=letter.occurred_at,
        recorded_at=letter.recorded_at,
        client=letter.client,
    )
    try:
        handler([event])
    except Exception as error:
        raise RedeliveryFailedError("the handler failed again", dead_letter=letter.pk) from error
