from uuid import UUID

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext

from resilience.events import UnknownEventTypeError, history_of
from resilience.events.log import Fact, append
from resilience.events.models import EventStream, LoggedEvent
from resilience.ids import new_id
from tests.events_kit import clock, numbers, publish, publish_committed

pytestmark = pytest.mark.django_db(transaction=True)


def test_facts_outside_a_transaction_are_refused() -> None:
    with pytest.raises(TransactionManagementError):
        publish((new_id(), 1))

    assert LoggedEvent.objects.count() == 0
    assert EventStream.objects.count() == 0


def test_an_undeclared_fact_is_refused() -> None:
    with pytest.raises(UnknownEventTypeError), transaction.atomic():
        append([Fact(new_id(), object())], occurred_at=clock.now())

    assert LoggedEvent.objects.count() == 0


def test_facts_of_one_aggregate_are_numbered_in_their_order() -> None:
    first, second = new_id(), new_id()

    with transaction.atomic():
        publish((first, 1), (second, 2), (first, 3), (first, 4))
        publish((second, 5), (first, 6))
    publish_committed((first, 7))

    history = history_of("test", first, limit=10)
    assert [(event.sequence, event.data["number"]) for event in history] == [
        (1, 1),
        (2, 3),
        (3, 4),
        (4, 6),
        (5, 7),
    ]
    assert numbers(history_of("test", second, limit=10)) == [2, 5]
    positions = LoggedEvent.objects.order_by("position").values_list("payload__number", flat=True)
    assert list(positions) == [1, 2, 3, 4, 5, 6, 7]


def test_any_number_of_facts_is_one_statement() -> None:
    facts = [(new_id(), number) for number in range(64)]

    with transaction.atomic(), CaptureQueriesContext(connection) as captured:
        publish(*facts)

    assert len(captured) == 1
    assert LoggedEvent.objects.count() == 64


def publish_and_fail(*facts: tuple[UUID, int]) -> None:
    with transaction.atomic():
        publish(*facts)
        raise ZeroDivisionError


def test_a_rollback_leaves_no_event_and_no_gap() -> None:
    aggregate = new_id()
    publish_committed((aggregate, 1))

    with pytest.raises(ZeroDivisionError):
        publish_and_fail((aggregate, 2), (aggregate, 3))
    with transaction.atomic():
        with pytest.raises(ZeroDivisionError):
            publish_and_fail((aggregate, 4))
        publish((aggregate, 5))

    history = history_of("test", aggregate, limit=10)
    assert [(event.sequence, event.data["number"]) for event in history] == [(1, 1), (2, 5)]


def test_what_was_told_cannot_be_changed_or_removed() -> None:
    publish_committed((new_id(), 1))

    with pytest.raises(DatabaseError, match="append-only"):
        LoggedEvent.objects.update(payload={})
    with pytest.raises(DatabaseError, match="append-only"):
        LoggedEvent.objects.all()._raw_delete("default")

    assert LoggedEvent.objects.get().payload == {"number": 1}


def test_the_columns_are_named_as_debeziums_outbox_router_expects_them() -> None:
    with connection.cursor() as cursor:
        columns = {
            column.name
            for column in connection.introspection.get_table_description(cursor, "resilience_event")
        }

    assert {"id", "aggregatetype", "aggregateid", "type", "payload"} <= columns
    assert {"version", "sequence", "client", "occurred_at"} <= columns
