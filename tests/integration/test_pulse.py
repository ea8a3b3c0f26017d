"""The pulse on real servers: it brings answers, outlives a server that dies or freezes, and a fork."""

import os
import signal
import time
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from redis.asyncio.client import Pipeline

from config.stack.servers import PRIMARY, REDIS, REPLICA, Addresses
from resilience import pulse
from resilience.postgres.newest import newest
from resilience.pulse import Member, Query
from resilience.pulse.database_conversation import DatabaseConversation
from tests.harness import Harness
from tests.processes import frozen, wait_until


class Ear(Member):
    """Asks for something everywhere, and keeps what it hears."""

    name = "ear"

    def __init__(self, *, sql: str = "SELECT 40 + %s", parameters: tuple[Any, ...] = (2,)) -> None:
        self.query = Query(sql, parameters)
        self.heard: list[Any] = []
        self.answers: dict[str, list[Any]] = {"default": [], "replica": []}
        self.missed: dict[str, int] = {"redis": 0, "default": 0, "replica": 0}
        self.to_write: Query | None = None
        self.forgot = False

    def queue(self, pipeline: Pipeline) -> None:
        pipeline.echo("first")
        pipeline.echo("second")

    def hear(self, replies: Sequence[Any]) -> None:
        self.heard.append(list(replies))

    def miss_redis(self) -> None:
        self.missed["redis"] += 1

    def question(self, alias: str) -> Query | None:
        return self.query

    def answer(self, alias: str, value: Any, asked_at: float) -> None:
        self.answers[alias].append(value)

    def miss_database(self, alias: str) -> None:
        self.missed[alias] += 1

    def write(self) -> Query | None:
        return self.to_write

    def written(self) -> None:
        self.to_write = None

    def forget(self) -> None:
        self.forgot = True


@pytest.fixture
def ear(django_db_setup: None) -> Iterator[Ear]:
    member = Ear()
    pulse.join(member)
    pulse.ensure_running()
    yield member
    pulse.leave(member)
    pulse.stop()


def _pids(harness: Harness, name: str) -> list[int]:
    return harness.supervisor.pids()[name]


def test_each_beat_brings_what_was_asked(ear: Ear) -> None:
    wait_until(lambda: len(ear.heard) > 2 and all(len(found) > 2 for found in ear.answers.values()))

    assert all(replies == [b"first", b"second"] for replies in ear.heard)
    assert set(ear.answers["default"]) == set(ear.answers["replica"]) == {42}
    assert ear.missed == {"redis": 0, "default": 0, "replica": 0}
    assert pulse.fleet_size() == 1
    assert all(pulse.age_s(name) < 2 for name in ("redis", "default", "replica"))


def test_a_wrong_question_silences_only_who_asked_it(ear: Ear) -> None:
    wrong = Ear(sql="SELECT no_such_column", parameters=())
    wrong.name = "wrong"
    pulse.join(wrong)
    try:
        wait_until(lambda: wrong.missed["default"] > 1 and wrong.missed["replica"] > 1)
    finally:
        pulse.leave(wrong)

    before = len(ear.answers["default"])
    wait_until(lambda: len(ear.answers["default"]) > before)
    assert ear.missed["default"] == ear.missed["replica"] == 0
    assert not wrong.answers["default"]


def test_a_slow_question_silences_only_who_asked_it(ear: Ear) -> None:
    slow = Ear(sql="SELECT pg_sleep(30)", parameters=())
    slow.name = "slow"
    pulse.join(slow)
    try:
        wait_until(lambda: slow.missed["default"] > 1 and slow.missed["replica"] > 1)

        before = {alias: len(answers) for alias, answers in ear.answers.items()}
        missed = dict(ear.missed)
        wait_until(lambda: all(len(found) > before[alias] + 4 for alias, found in ear.answers.items()))
        assert ear.missed == missed
    finally:
        pulse.leave(slow)


@pytest.mark.parametrize("unsayable", [None, "\ud800"])
def test_a_command_that_cannot_be_sent_silences_only_who_queued_it(ear: Ear, unsayable: Any) -> None:
    class Mumbling(Ear):
        name = "mumbling"

        def queue(self, pipeline: Pipeline) -> None:
            pipeline.echo("said")
            pipeline.echo(unsayable)

    mumbling = Mumbling()
    pulse.join(mumbling)
    try:
        wait_until(lambda: mumbling.missed["redis"] > 1)
        before = len(ear.heard)
        wait_until(lambda: len(ear.heard) > before + 2)
    finally:
        pulse.leave(mumbling)

    assert not mumbling.heard
    assert ear.missed["redis"] == 0
    assert all(replies == [b"first", b"second"] for replies in ear.heard)


def test_a_beat_that_raises_is_a_missed_one(ear: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    wait_until(lambda: ear.answers["default"])

    async def raises(*_arguments: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(DatabaseConversation, "_answers_to", raises)
        after = time.monotonic()
        assert pulse.wait_for_turn("default", after=after, limit_s=20)

    before = len(ear.answers["default"])
    wait_until(lambda: len(ear.answers["default"]) > before)


def test_what_raises_is_not_the_end(ear: Ear, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Ear):
        name = "broken"

        def hear(self, replies: Sequence[Any]) -> None:
            raise ZeroDivisionError

    broken = Broken()
    pulse.join(broken)
    try:
        before = len(ear.heard)
        wait_until(lambda: len(ear.heard) > before + 2)
    finally:
        pulse.leave(broken)

    assert "A tool failed on the pulse." in caplog.text


@pytest.mark.django_db(transaction=True)
def test_a_write_is_committed_and_then_forgotten(ear: Ear) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS pulse_note (id int); TRUNCATE pulse_note")
    ear.to_write = Query("INSERT INTO pulse_note VALUES (%s)", (7,))

    wait_until(lambda: ear.to_write is None)

    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM pulse_note")
        assert cursor.fetchall() == [(7,)]
        cursor.execute("DROP TABLE pulse_note")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_connected", [True, False])
def test_a_primary_of_the_past_is_neither_believed_nor_written(ear: Ear, is_connected: bool) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS pulse_note (id int)")
    wait_until(lambda: ear.answers["default"])
    if not is_connected:
        pulse.stop()

    try:
        # Another thread has met the one that was promoted.
        newest.see(timeline=newest.timeline + 1, place="elsewhere:1")
        before = len(ear.answers["default"])
        ear.to_write = Query("INSERT INTO pulse_note VALUES (%s)", (7,))
        pulse.ensure_running()
        wait_until(lambda: ear.missed["default"] > 2)

        # One beat may have been under way.
        assert len(ear.answers["default"]) <= before + is_connected
        assert ear.to_write is not None
        with connection.cursor() as cursor:
            cursor.execute("SELECT id FROM pulse_note")
            assert cursor.fetchall() == []
    finally:
        newest.forget()
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE pulse_note")


@pytest.mark.parametrize(("server", "name"), [(REDIS, "redis"), (PRIMARY, "default"), (REPLICA, "replica")])
def test_a_frozen_server_holds_nobody_but_itself(ear: Ear, harness: Harness, server: str, name: str) -> None:
    others = {"redis", "default", "replica"} - {name}
    wait_until(lambda: all(pulse.age_s(one) is not None for one in (name, *others)))
    # A replica's primary that does not answer is no harm to it, and the other way round.
    with frozen(_pids(harness, server)):
        wait_until(lambda: ear.missed[name] > 2)
        assert all(pulse.age_s(one) < 2 for one in others)
        assert pulse.age_s(name) > 0.5
    missed = ear.missed[name]
    wait_until(lambda: pulse.age_s(name) < 0.5)
    assert ear.missed[name] < missed + 40
    assert all(ear.missed[one] == 0 for one in others)


def test_it_survives_the_death_of_redis(ear: Ear, harness: Harness) -> None:
    wait_until(lambda: ear.heard)
    for pid in _pids(harness, REDIS):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: ear.missed["redis"] > 0)
    heard = len(ear.heard)

    wait_until(lambda: len(ear.heard) > heard, meanwhile=harness.supervisor.tick)


def test_a_forked_child_has_a_pulse_of_its_own(ear: Ear) -> None:
    wait_until(lambda: ear.heard)
    name = pulse.process_name()
    reading, writing = os.pipe()

    child = os.fork()
    if child == 0:
        try:
            ear.heard.clear()
            pulse.ensure_running()
            deadline = time.monotonic() + 10
            while not (ear.heard and ear.answers["default"] and pulse.fleet_size() == 2):
                if time.monotonic() > deadline:
                    os._exit(1)
                time.sleep(0.02)
            os.write(writing, pulse.process_name().encode())
        finally:
            os._exit(0 if ear.forgot else 2)
    _pid, status = os.waitpid(child, 0)

    assert status == 0
    assert os.read(reading, 200).decode() != name
    # The parent's own connections were not touched by the child's end.
    missed, heard = dict(ear.missed), len(ear.heard)
    wait_until(lambda: len(ear.heard) > heard + 2)
    assert ear.missed == missed
    # The dead child is counted until it has been silent for a while.
    wait_until(lambda: pulse.fleet_size() == 1)


@pytest.mark.django_db(transaction=True)
def test_whoever_wants_tables_for_himself_does_not_meet_the_pulse_in_a_deadlock(
    ear: Ear, pg: Addresses
) -> None:
    """A migration, or a test that empties its tables, takes in another order what the one query looks at."""
    ear.query = Query("SELECT (SELECT count(*) FROM pulse_a) + (SELECT count(*) FROM pulse_b)")
    with psycopg.connect(pg.primary, autocommit=True) as admin:
        admin.execute("CREATE TABLE pulse_a (); CREATE TABLE pulse_b ()")
        try:
            wait_until(lambda: ear.answers["default"][-1:] == [0])
            with admin.transaction():
                admin.execute("LOCK TABLE pulse_b IN ACCESS EXCLUSIVE MODE")
                missed = ear.missed["default"]
                # The query holds the first table by now, and waits for the second.
                wait_until(lambda: ear.missed["default"] > missed)
                for _lock in range(5):
                    admin.execute("LOCK TABLE pulse_a IN ACCESS EXCLUSIVE MODE")
            answers = len(ear.answers["default"])
            wait_until(lambda: len(ear.answers["default"]) > answers)
        finally:
            admin.execute("DROP TABLE pulse_a, pulse_b")
    assert pulse.age_s("default") < 2
