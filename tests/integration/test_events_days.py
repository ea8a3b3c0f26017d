"""The log as a table of days: opened ahead, left out by readers, and forgotten when nobody needs them."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from datetime import time as midnight
from io import StringIO
from pathlib import Path
from threading import Event as Signal
from threading import Thread
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from analytics.lake import keeping
from analytics.lake.exporting import export_once
from analytics.lake.keeping import DamagedFileError, compact, rebuild, verify
from analytics.lake.manifest import read_manifest
from analytics.lake.storage import Storage, storage
from analytics.projections import differences
from analytics.projections import rebuild as rebuild_tallies
from resilience import clock
from resilience.events import append, beginning, history_of, read_after, reading, subscriptions, told_since
from resilience.events import days as days_of_the_log
from resilience.events.days import DAYS_AHEAD, oldest_of, open_days, today
from resilience.events.log import Fact
from resilience.events.models import EventDay, EventReplay, InboxEntry, LoggedEvent
from resilience.events.reading import Cursor
from resilience.events.retention import forget, partitions
from resilience.events.tasks import keep_event_log
from resilience.ids import new_id
from tests.audit_kit import audit, failed
from tests.conftest import SandboxClient
from tests.events_kit import Happened, elsewhere, publish_committed, rows, run_until_idle, subscription
from tests.lake_kit import confirmed, declined, placed
from tests.orders_kit import carry_to_the_end, place, stock

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def whole_log() -> Iterator[None]:
    """Give the next test the partitions that this one found, and its process no marks."""
    _forget_marks()
    yield
    _forget_marks()
    lay_out(before_ends=today() + timedelta(days=2))


def lay_out(*, before_ends: date) -> None:
    """Empty the log, and give it the partition of before up to a day, and those of the days behind it."""
    with transaction.atomic(), connection.cursor() as cursor:
        # The pulse of this process reads the log meanwhile, and on a busy machine takes its time.
        cursor.execute("SET LOCAL lock_timeout = '20s'")
        cursor.execute("TRUNCATE resilience_event, resilience_event_day")
        for partition in partitions():
            cursor.execute(f"DROP TABLE {partition.name}")
        cursor.execute(
            "CREATE TABLE resilience_event_before PARTITION OF resilience_event "
            f"FOR VALUES FROM (MINVALUE) TO ('{before_ends} 00:00Z')"
        )
        cursor.execute(
            "CREATE UNIQUE INDEX ON resilience_event_before (aggregatetype, aggregateid, sequence)"
        )
        cursor.execute(
            "SELECT resilience_event_open_day(d::date) FROM generate_series(%s::date, %s, '1 day') AS d",
            [before_ends, today() + timedelta(days=DAYS_AHEAD)],
        )


def age(days: int) -> None:
    """Let everything that was told have been told `days` ago. Nothing but a test may: the trigger refuses."""
    older = "UPDATE resilience_event SET recorded_at = recorded_at - make_interval(days => %s)"
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE resilience_event DISABLE TRIGGER the_event_log_is_append_only")
        cursor.execute(older, [days])
        cursor.execute("ALTER TABLE resilience_event ENABLE TRIGGER the_event_log_is_append_only")


def _forget_marks() -> None:
    days_of_the_log._marks, days_of_the_log._marks_read_at = (), float("-inf")


@pytest.fixture
def lake(settings: Any, tmp_path: Path) -> Storage:
    settings.LAKE_URL = str(tmp_path / "lake")
    return storage()


def far_day() -> date:
    """A day that no migration has opened."""
    return today() + timedelta(days=40)


def record(day: date, *, number: int = 1) -> None:
    """Publish an event, and let the database's clock say `day` at noon."""
    aggregate = new_id()
    publish_committed((aggregate, number))
    with connection.cursor() as cursor:
        # Written once more elsewhere: the log refuses to change a row, and a test may not wait for tomorrow.
        cursor.execute(
            "INSERT INTO resilience_event (id, aggregatetype, aggregateid, sequence, type, version, payload, "
            "client, xid, occurred_at, recorded_at) "
            "SELECT %s, aggregatetype, %s, sequence, type, version, payload, client, pg_current_xact_id(), "
            "occurred_at, %s FROM resilience_event WHERE aggregateid = %s",
            [new_id(), new_id(), f"{day} 12:00Z", aggregate],
        )


def forget_marked(day: date) -> tuple[str, ...]:
    """Mark `day`, so that the log may begin there, and forget what is before it; return who holds it back."""
    open_days(day)
    return forget(before=day).held_by


def read_everything(lake: Storage) -> None:
    for one in subscriptions():
        run_until_idle(one)
    while export_once(lake).rows:
        pass


def test_days_are_opened_once_and_a_week_ahead() -> None:
    opened = open_days(far_day())

    assert opened == [far_day() + timedelta(days=ahead) for ahead in range(DAYS_AHEAD + 1)]
    assert open_days(far_day()) == []
    assert open_days(far_day() + timedelta(days=1)) == [far_day() + timedelta(days=8)]


def test_an_event_of_a_day_that_nobody_opened_is_kept_and_read() -> None:
    handled: list[object] = []
    record(far_day(), number=7)

    assert far_day() not in open_days(far_day())
    run_until_idle(subscription("days.strays", handled.extend))
    assert len(handled) == 2
    assert rows("SELECT count(*) FROM resilience_event_stray") == [(1,)]


def test_strays_are_forgotten_when_all_of_them_are_old(lake: Storage) -> None:
    record(far_day())
    record(far_day() + timedelta(days=1))
    read_everything(lake)

    forget(before=far_day() + timedelta(days=1))
    assert rows("SELECT count(*) FROM resilience_event_stray") == [(2,)]
    forget(before=far_day() + timedelta(days=2))
    assert rows("SELECT count(*) FROM resilience_event_stray") == [(0,)]


def test_a_reader_behind_a_mark_leaves_out_the_days_before_it() -> None:
    publish_committed((new_id(), 1))
    open_days(far_day())
    publish_committed((new_id(), 2))
    behind = LoggedEvent.objects.get(payload__number=2)

    since = oldest_of(behind.xid)
    assert since is not None
    assert since.date() == far_day() - timedelta(days=1)
    # The database's clock says today, so what was told behind the mark is left out by the day: this is
    # the proof that days are left out, and that nobody may mark a day which has not begun.
    assert read_after(Cursor(behind.xid - 1, 0), limit=10).found == ()
    assert oldest_of(behind.xid - 10_000) is None
    assert len(read_after(Cursor(), limit=10).found) == 2


def test_a_mark_of_today_hides_nothing_from_anybody() -> None:
    late: list[object] = []
    reader = subscription("days.reader", late.extend)
    publish_committed((new_id(), 1))
    run_until_idle(reader)

    keep_event_log()
    _forget_marks()
    for number in range(2, 12):
        publish_committed((new_id(), number))
        run_until_idle(reader)

    assert oldest_of(LoggedEvent.objects.order_by("-position")[0].xid) is not None
    assert [event.data["number"] for event in late] == list(range(1, 12))  # type: ignore[attr-defined]


def test_a_day_is_kept_while_a_subscription_the_lake_or_a_replay_needs_it(lake: Storage) -> None:
    placed()
    ahead = today() + timedelta(days=3)

    assert set(forget_marked(ahead)) == {
        "analytics.tallies",
        "the lake",
        "webhooks.out",
        *_wanting("order.placed"),
    }
    for one in subscriptions():
        run_until_idle(one)
    assert forget_marked(ahead) == ("the lake",)
    while export_once(lake).rows:
        pass
    replay = EventReplay.objects.create(subscription="orders.refunds", end_xid=2**40, begun_at=clock.now())
    assert forget_marked(ahead) == (f"replay {replay.id}",)
    assert LoggedEvent.objects.count() == 1

    replay.delete()
    assert forget_marked(ahead) == ()
    assert LoggedEvent.objects.count() == 0


def _wanting(type_: str) -> set[str]:
    return {one.name for one in subscriptions() if one.types is None or type_ in one.types}


def test_a_lake_that_does_not_answer_holds_the_log(lake: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    placed()
    read_everything(lake)

    def unreachable(*_args: object) -> Any:
        raise OSError("no route to the bucket")

    monkeypatch.setattr(Storage, "names", unreachable)
    assert forget_marked(today() + timedelta(days=3)) == ("the lake",)
    assert LoggedEvent.objects.count() == 1


def test_what_was_forgotten_is_missed_by_no_figure(lake: Storage) -> None:
    lay_out(before_ends=today() - timedelta(days=9))
    for _order in range(3):
        confirmed(placed())
    declined(placed())
    age(days=12)
    read_everything(lake)
    events = LoggedEvent.objects.count()
    placed()
    open_days(today())
    _forget_marks()

    assert forget(before=today() - timedelta(days=9)).partitions == ("resilience_event_before",)
    confirmed(placed())
    read_everything(lake)

    assert LoggedEvent.objects.count() == 4
    assert InboxEntry.objects.filter(event_id__lt=LoggedEvent.objects.order_by("id")[0].id).count() == 0
    assert verify(lake).faults == ()
    assert differences(now=clock.now()) == []
    tallied = _tallies()
    assert len(tallied) > 0
    rebuild_tallies(now=clock.now())
    assert _tallies() == tallied
    assert rebuild(lake).rows == read_manifest(lake).rows == events + 4
    assert verify(lake).faults == ()


def test_nobody_forgets_a_day_while_the_lake_is_made_anew(
    lake: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(before_ends=today() - timedelta(days=9))
    placed()
    age(days=12)
    read_everything(lake)
    open_days(today())
    meanwhile: list[tuple[str, ...]] = []
    rewrite = keeping._forgotten

    def forget_elsewhere(*arguments: Any, **options: Any) -> Any:
        with elsewhere() as other:
            meanwhile.append(other.do(lambda: forget(before=today() - timedelta(days=9)).partitions))
        return rewrite(*arguments, **options)

    monkeypatch.setattr(keeping, "_forgotten", forget_elsewhere)

    assert rebuild(lake).rows == 1
    assert meanwhile == [()]
    assert forget(before=today() - timedelta(days=9)).partitions == ("resilience_event_before",)
    assert verify(lake).faults == ()


def test_a_damaged_file_gets_no_new_name_under_which_it_would_look_right(lake: Storage) -> None:
    lay_out(before_ends=today() - timedelta(days=9))
    placed()
    age(days=12)
    read_everything(lake)
    placed()
    open_days(today())
    read_everything(lake)
    forget(before=today() - timedelta(days=9))
    damaged = read_manifest(lake).files[0]
    table = lake.read_table(damaged.path)
    lake.write_table(damaged.path, table.set_column(0, "id", [[str(new_id())]]))

    with pytest.raises(DamagedFileError, match="may hold older events"):
        rebuild(lake)
    compact(lake, now=clock.now())
    assert damaged in read_manifest(lake).files
    assert [fault.where for fault in verify(lake).faults] == [damaged.path]


def _tallies() -> list[tuple[Any, ...]]:
    columns = "grain, at, measure, currency, method_type, code, count, amount_minor"
    return rows(f"SELECT {columns} FROM analytics_tally WHERE grain <> 'minute' ORDER BY 1, 2, 3, 4, 5, 6")


def test_audits_ask_the_log_only_for_what_it_can_know(lake: Storage, sandbox: SandboxClient) -> None:
    stock(10)
    carry_to_the_end([place()], within_s=30)
    read_everything(lake)

    assert forget_marked(today() + timedelta(days=3)) == ()
    mark = beginning()

    assert mark is not None
    assert told_since().int >> 80 == int((mark.moment + timedelta(hours=1)).timestamp() * 1000)
    assert failed(audit("O1", "O5", "B1", "B2")) == {}
    EventDay.objects.update(xid=0)
    assert "O1" in failed(audit("O1", "O5", "B1", "B2"))


def test_publishing_goes_on_while_days_are_opened_and_forgotten(lake: Storage) -> None:
    stop, errors, told = Signal(), list[Exception](), list[object]()

    def publish_for_ever() -> None:
        try:
            while not stop.is_set():
                aggregate = new_id()
                with transaction.atomic():
                    append([Fact(aggregate, Happened(1))], occurred_at=clock.now())
                told.append(aggregate)
        except Exception as error:  # noqa: BLE001 - told below
            errors.append(error)
        finally:
            connection.close()

    publishers = [Thread(target=publish_for_ever, daemon=True) for _ in range(3)]
    for publisher in publishers:
        publisher.start()
    try:
        for ahead in range(30):
            open_days(far_day() + timedelta(days=ahead))
        # Empty days, which nobody needs: each is dropped from under the publishers.
        with connection.cursor() as cursor:
            for partition in [one for one in partitions() if one.until.date() > far_day()]:
                cursor.execute(f"DROP TABLE {partition.name}")
    finally:
        stop.set()
        for publisher in publishers:
            publisher.join()

    assert errors == []
    assert len(told) > 30
    assert LoggedEvent.objects.count() == len(told)
    assert all(history_of("test", aggregate, limit=2) for aggregate in told[:50])  # type: ignore[arg-type]


def test_the_command_tells_what_there_is(settings: Any) -> None:
    EventDay.objects.create(day=today(), xid=0)
    out = StringIO()
    call_command("event_log", "keep", stdout=out)

    assert "resilience_event_before: recorded before" in out.getvalue()
    assert "Nothing is forgotten." in out.getvalue()


def test_events_are_fetched_from_the_days_only_that_can_have_them() -> None:
    open_days(far_day())
    parameters = {"xids": ["7"], "positions": [7], "since": datetime.combine(far_day(), midnight.min, UTC)}

    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {reading._FETCH}", parameters)
        plan = "\n".join(row[0] for row in cursor.fetchall())

    older = [one.name for one in partitions() if one.until.date() <= far_day()]
    younger = [one.name for one in partitions() if one.until.date() > far_day()]
    assert [name for name in older if f"{name} " in plan] == []
    assert [name for name in younger if f"{name} " not in plan] == []
    assert older
    assert younger
