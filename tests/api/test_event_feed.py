"""The pull feed: a client's own events, in the log's order, none skipped however late it commits."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event as Signal
from uuid import UUID

import pytest
from django.db import connection, transaction

from resilience import clock
from resilience.apikeys.cache import known_keys
from resilience.events import Fact, append
from resilience.events.models import EventDay, LoggedEvent
from resilience.ids import new_id
from tests.api.foundation import Caller, assert_problem
from tests.api.shop import EVERYTHING, Shop, order_body
from tests.events_kit import Happened, Ignored
from tests.orders_kit import carry_to_the_end, stock

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "replica"])
EVENTS = "/api/v1/events"


@pytest.fixture
def reader() -> Caller:
    known_keys.forget_all()
    return Caller(client="shop", permissions=("events.read",))


def tell(number: int, *, client: str = "shop", aggregate: UUID | None = None) -> None:
    with transaction.atomic():
        append([Fact(aggregate or new_id(), Happened(number), client)], occurred_at=clock.now())


def numbers(page: dict) -> list[int]:
    return [event["data"]["number"] for event in page["data"]]


def test_a_client_reads_its_own_events_page_by_page_and_goes_on_later(reader: Caller) -> None:
    for number in range(5):
        tell(number)
        tell(100 + number, client="another")
        tell(200 + number, client="")

    first = reader.get(f"{EVENTS}?limit=2").json()
    second = reader.get(f"{EVENTS}?limit=100&after={first['next_cursor']}").json()
    at_end = reader.get(f"{EVENTS}?after={second['next_cursor']}").json()
    tell(5)
    later = reader.get(f"{EVENTS}?after={at_end['next_cursor']}").json()

    assert numbers(first) == [0, 1]
    assert numbers(second) == [2, 3, 4]
    assert at_end["data"] == []
    assert numbers(later) == [5]


def test_from_the_latest_on_only_what_happens_from_then_on(reader: Caller) -> None:
    tell(1)
    told, may_commit = Signal(), Signal()

    def under_way() -> None:
        with transaction.atomic():
            append([Fact(new_id(), Happened(2), "shop")], occurred_at=clock.now())
            told.set()
            assert may_commit.wait(10)
        connection.close()

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(under_way)
        assert told.wait(10)
        start = reader.get(f"{EVENTS}?after=latest").json()
        may_commit.set()
        writing.result()
    tell(3)

    assert start["data"] == []
    assert numbers(reader.get(f"{EVENTS}?after={start['next_cursor']}").json()) == [2, 3]


def test_events_of_an_order_come_as_cloud_events_and_its_payments_too() -> None:
    known_keys.forget_all()
    stock(10)
    shop = Shop(permissions=EVERYTHING)
    order = shop.order(order_body()).json()
    carry_to_the_end([UUID(order["id"])], within_s=20)

    told = shop.get(EVENTS).json()["data"]

    by_type = {event["type"]: event for event in told}
    assert {"order.placed", "payment.authorized", "payment.captured", "order.confirmed"} <= set(by_type)
    placed = by_type["order.placed"]
    assert (placed["specversion"], placed["subject"], placed["source"]) == ("1.0", order["id"], "/order")
    assert placed["sequence"] == "0000000001"
    assert by_type["payment.captured"]["data"]["method_type"] == "card"
    assert "product.changed" not in by_type


def test_only_the_types_that_are_asked_for(reader: Caller) -> None:
    tell(1)
    with transaction.atomic():
        append([Fact(new_id(), Ignored(2), "shop")], occurred_at=clock.now())

    found = reader.get(f"{EVENTS}?types=test.ignored").json()["data"]

    assert [event["type"] for event in found] == ["test.ignored"]


def test_a_client_with_rare_events_is_led_past_those_of_others(reader: Caller) -> None:
    with transaction.atomic():
        others = [Fact(new_id(), Happened(number), "another") for number in range(1000)]
        append(others, occurred_at=clock.now())
    tell(1)

    assert numbers(reader.get(f"{EVENTS}?limit=1").json()) == [1]


def test_what_commits_late_under_a_lower_position_is_not_skipped(reader: Caller) -> None:
    told, may_commit = Signal(), Signal()

    def late() -> None:
        with transaction.atomic():
            append([Fact(new_id(), Happened(1), "shop")], occurred_at=clock.now())
            told.set()
            assert may_commit.wait(10)
        connection.close()

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(late)
        assert told.wait(10)
        tell(2)
        meanwhile = reader.get(EVENTS).json()
        may_commit.set()
        writing.result()
    afterwards = reader.get(f"{EVENTS}?after={meanwhile['next_cursor']}").json()

    assert sorted(numbers(meanwhile) + numbers(afterwards)) == [1, 2]
    assert numbers(meanwhile) == []


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("after=nonsense", "invalid_cursor"),
        ("types=order.eaten", "validation_failed"),
        ("limit=0", "validation_failed"),
        ("limit=101", "validation_failed"),
        ("since=now", "invalid_query"),
    ],
)
def test_bad_questions_are_answered_with_what_to_do(reader: Caller, query: str, code: str) -> None:
    assert_problem(reader.get(f"{EVENTS}?{query}"), 400, code)


def test_a_cursor_of_another_client_opens_nothing(reader: Caller) -> None:
    tell(1)
    cursor = reader.get(EVENTS).json()["next_cursor"]
    other = Caller(client="another", permissions=("events.read",))

    assert_problem(other.get(f"{EVENTS}?after={cursor}"), 400, "invalid_cursor")


def test_a_cursor_from_before_what_the_log_keeps_is_refused_and_not_silently_moved(reader: Caller) -> None:
    tell(1)
    old = reader.get(EVENTS).json()["next_cursor"]
    tell(2)
    begins = LoggedEvent.objects.get(payload__number=2).xid
    EventDay.objects.all().delete()
    EventDay.objects.create(day=clock.now().date(), xid=begins)

    refusal = reader.get(f"{EVENTS}?after={old}")

    assert_problem(refusal, 410, "events_forgotten")
    assert "without `after`" in refusal.json()["detail"]
    assert numbers(reader.get(EVENTS).json()) == [1, 2]
