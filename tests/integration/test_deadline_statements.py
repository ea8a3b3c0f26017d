"""PostgreSQL ends a statement when its caller's time is over, and no other client feels it."""

import time
from collections.abc import Iterator

import pytest
from django.db import DatabaseError, OperationalError, connection, transaction

from resilience.deadlines import DeadlineExceeded, current, within

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _notes() -> Iterator[None]:
    run("CREATE TABLE deadline_note (id int)")
    yield
    run("DROP TABLE deadline_note")


def run(sql: str) -> object:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0] if cursor.description else None


def in_one(*statements: str) -> None:
    with transaction.atomic():
        for statement in statements:
            run(statement)


def limit_ms() -> int:
    found = run("SELECT extract(epoch FROM current_setting('statement_timeout')::interval) * 1000")
    return int(found)  # type: ignore[call-overload]


def notes() -> object:
    return run("SELECT count(*) FROM deadline_note")


class Sent:
    """Every statement that goes to the server, ours included."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    def __call__(self, execute, sql, params, many, context):
        self.statements.append(sql.strip())
        return execute(sql, params, many, context)

    @property
    def limits(self) -> int:
        return sum("set_config('statement_timeout'" in sql for sql in self.statements)


ROLE_MS = 5000


def test_a_statement_ends_with_the_deadline_and_nothing_is_kept():
    began = time.monotonic()

    with pytest.raises(DeadlineExceeded), within(0.4):
        in_one("INSERT INTO deadline_note VALUES (1)", "SELECT pg_sleep(4)")

    assert 0.3 < time.monotonic() - began < 3.0
    assert notes() == 0


def test_past_the_deadline_the_server_is_not_asked():
    sent = Sent()

    with connection.execute_wrapper(sent), within(0.0):
        with pytest.raises(DeadlineExceeded):
            run("INSERT INTO deadline_note VALUES (1)")
        with pytest.raises(DeadlineExceeded), transaction.atomic():
            run("INSERT INTO deadline_note VALUES (1)")

    assert sent.statements == []
    assert notes() == 0


def test_without_a_deadline_nothing_more_is_sent():
    sent = Sent()

    with connection.execute_wrapper(sent), transaction.atomic():
        run("INSERT INTO deadline_note VALUES (1)")

    assert sent.statements == ["INSERT INTO deadline_note VALUES (1)"]


def test_outside_of_a_transaction_nothing_more_is_sent():
    sent = Sent()

    with connection.execute_wrapper(sent), within(3.0):
        run("INSERT INTO deadline_note VALUES (1)")

    assert sent.statements == ["INSERT INTO deadline_note VALUES (1)"]


def test_the_limit_ends_with_its_transaction():
    with within(3.0), transaction.atomic():
        assert 2500 < limit_ms() <= 3000
    # A pooler in transaction mode gives this connection to anybody now.
    assert limit_ms() == ROLE_MS

    with pytest.raises(DatabaseError), within(3.0):
        in_one("SELECT 1", "SELECT 1 / 0")
    assert limit_ms() == ROLE_MS


def test_a_tighter_limit_of_the_role_stays():
    with within(50.0), transaction.atomic():
        assert limit_ms() == ROLE_MS

    with within(50.0), transaction.atomic():
        run("SET LOCAL statement_timeout = 0")
    run("SET statement_timeout = 0")
    try:
        with within(50.0), transaction.atomic():
            assert 49_000 < limit_ms() <= 50_000
    finally:
        run("RESET statement_timeout")


def test_many_statements_share_one_setting_until_it_is_stale():
    sent = Sent()

    with connection.execute_wrapper(sent), within(1.0), transaction.atomic():
        for _statement in range(20):
            run("SELECT 1")
        assert sent.limits == 1
        run("SELECT pg_sleep(0.4)")
        assert limit_ms() < 700

    assert sent.limits == 2


def test_each_transaction_is_told_anew():
    for _transaction in range(2):
        with within(3.0), transaction.atomic():
            assert limit_ms() <= 3000


@pytest.mark.parametrize("keeps", [True, False])
def test_a_savepoint_takes_no_limit_away(keeps: bool):
    with within(3.0), transaction.atomic():
        try:
            with transaction.atomic():
                assert limit_ms() <= 3000
                if not keeps:
                    raise ZeroDivisionError
        except ZeroDivisionError:
            pass
        assert limit_ms() <= 3000


def test_what_is_committed_is_answered_however_late():
    with within(0.3):
        with transaction.atomic():
            run("INSERT INTO deadline_note VALUES (1)")
        run("SELECT pg_sleep(0.4)")

        assert notes() == 1
        deadline = current()
        assert deadline is not None
        assert deadline.is_lifted


@pytest.mark.parametrize(
    ("statement", "is_lifted"),
    [("INSERT INTO deadline_note VALUES (1)", True), (" select 1", False), ("SHOW lock_timeout", False)],
)
def test_a_statement_that_commits_by_itself_lifts_it_too(statement: str, is_lifted: bool):
    with within(5.0):
        run(statement)
        deadline = current()
        assert deadline is not None
        assert deadline.is_lifted is is_lifted


def test_what_is_rolled_back_lifts_nothing():
    with within(5.0):
        with pytest.raises(DatabaseError):
            in_one("INSERT INTO deadline_note VALUES (1)", "SELECT 1 / 0")
        deadline = current()
        assert deadline is not None
        assert not deadline.is_lifted


def test_a_limit_of_somebody_else_is_not_called_a_deadline():
    with pytest.raises(OperationalError, match="statement timeout"), within(20.0):
        in_one("SET LOCAL statement_timeout = '100ms'", "SELECT pg_sleep(4)")
