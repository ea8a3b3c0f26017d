"""What is posted is posted once, in balance, and stays as it is: by rights, by triggers, by constraints."""

from collections.abc import Callable

import pytest
from django.db import DatabaseError, IntegrityError, ProgrammingError, connection, transaction
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext
from psycopg.errors import RestrictViolation

from config.stack.servers import Addresses
from payments.ledger.booking import InvalidBookingError
from payments.ledger.posting import OriginalNotBookedError, post
from payments.models import LedgerEntry, LedgerSeal, LedgerTransaction
from resilience.ids import new_id
from tests.events_kit import elsewhere
from tests.ledger_kit import CLEARING, NOW, Sale, as_superuser, post_committed, posted, rows
from tests.together import at_once

pytestmark = pytest.mark.django_db(transaction=True)

TABLES = ("payments_ledger_transaction", "payments_ledger_entry", "payments_ledger_seal")
INSERT_ENTRIES = """
INSERT INTO payments_ledger_entry (transaction_id, account, currency, amount_minor)
SELECT %s, account, currency, amount_minor
FROM json_to_recordset(%s) AS e (account text, currency text, amount_minor bigint)
"""


def insert_transaction(source: str, **columns: object) -> int:
    """Insert past `post`; other columns where told."""
    names = "".join(f", {name}" for name in columns)
    statement = f"""
        INSERT INTO payments_ledger_transaction (source, kind, gateway, occurred_at, recorded_at{names})
        VALUES (%s, 'captured', 'sandbox-1', now(), now(){", %s" * len(columns)}) RETURNING id
    """
    return rows(statement, source, *columns.values())[0][0]


def insert_entries(transaction_id: int, *entries: tuple[str, int]) -> None:
    sides = [f'{{"account":"x","currency":"{name}","amount_minor":{minor}}}' for name, minor in entries]
    with connection.cursor() as cursor:
        cursor.execute(INSERT_ENTRIES, [transaction_id, f"[{','.join(sides)}]"])


def counts() -> tuple[int, int]:
    return LedgerTransaction.objects.count(), LedgerEntry.objects.count()


def test_a_capture_is_two_entries_that_sum_to_zero() -> None:
    sale = Sale(1299)

    post_committed(sale.captured())

    source = f"capture:{sale.payment_id}"
    assert posted() == [(source, CLEARING, "EUR", 1299), (source, "receivable", "EUR", -1299)]
    [transaction_row] = LedgerTransaction.objects.values(
        "kind", "gateway", "order_id", "payment_id", "reverses_id", "occurred_at", "recorded_at"
    )
    assert transaction_row == {
        "kind": "captured",
        "gateway": "sandbox-1",
        "order_id": sale.order_id,
        "payment_id": sale.payment_id,
        "reverses_id": None,
        "occurred_at": NOW,
        "recorded_at": NOW,
    }


def test_any_number_of_facts_is_one_statement() -> None:
    bookings = [Sale(100 + number).captured() for number in range(64)]

    with transaction.atomic(), CaptureQueriesContext(connection) as captured:
        post(bookings, now=NOW)

    assert len(captured) == 1
    assert counts() == (64, 128)


def test_no_fact_is_no_statement() -> None:
    with transaction.atomic(), CaptureQueriesContext(connection) as captured:
        post([], now=NOW)

    assert len(captured) == 0


def test_posting_outside_a_transaction_is_refused() -> None:
    with pytest.raises(TransactionManagementError):
        post([Sale().captured()], now=NOW)

    assert counts() == (0, 0)


def test_a_fact_is_booked_once_whoever_comes_again() -> None:
    sale, other = Sale(), Sale(5)
    post_committed(sale.captured())

    post_committed(sale.captured(), other.captured(), other.captured())
    post_committed(sale.captured(999))

    assert counts() == (2, 4)
    assert {amount for *_, amount in posted()} == {1000, -1000, 5, -5}


def test_one_batch_cannot_say_two_things_of_one_fact() -> None:
    sale = Sale()

    with pytest.raises(InvalidBookingError, match="two ways"), transaction.atomic():
        post([sale.captured(), sale.captured(999)], now=NOW)

    assert counts() == (0, 0)


def test_a_rollback_leaves_nothing() -> None:
    with transaction.atomic():
        post([Sale().captured()], now=NOW)
        transaction.set_rollback(True)

    assert counts() == (0, 0)


def test_it_may_be_posted_inside_a_savepoint() -> None:
    with transaction.atomic():
        post([Sale().captured()], now=NOW)
        with transaction.atomic():
            post([Sale().captured()], now=NOW)

    assert counts() == (2, 4)


def test_eight_at_once_book_one_fact_once() -> None:
    sales = [Sale(number + 1) for number in range(16)]
    bookings = [sale.captured() for sale in sales]

    # In as many orders as there are callers: locks taken in the order given would end in a deadlock.
    at_once(
        [
            lambda turn=turn: post_committed(*bookings[turn:], *bookings[:turn])  # type: ignore[misc]
            for turn in range(0, 16, 2)
        ]
    )

    assert counts() == (16, 32)
    assert sorted(amount for *_, amount in posted() if amount > 0) == list(range(1, 17))


def test_who_comes_second_books_when_the_first_gives_up() -> None:
    sale = Sale()
    with elsewhere() as first:
        first.begin()
        first.do(lambda: post([sale.captured()], now=NOW))
        first.rollback()

        post_committed(sale.captured())

    assert counts() == (1, 2)


def test_a_reversal_names_its_original_also_in_one_batch() -> None:
    sale, refund_id = Sale(), new_id()

    post_committed(sale.refund_failed(refund_id), sale.captured(), sale.refunded(refund_id))
    post_committed(sale.refund_failed(refund_id))

    reversal = LedgerTransaction.objects.get(kind="refund_failed")
    assert reversal.reverses is not None
    assert reversal.reverses.source == f"refund:{refund_id}"
    assert counts() == (3, 6)


def test_nothing_cannot_be_reversed() -> None:
    with pytest.raises(OriginalNotBookedError), transaction.atomic():
        post([Sale().captured(), Sale().refund_failed(new_id())], now=NOW)

    assert counts() == (0, 0)


def test_a_booking_is_reversed_once() -> None:
    sale, refund_id = Sale(), new_id()
    post_committed(sale.refunded(refund_id), sale.refund_failed(refund_id))
    original = LedgerTransaction.objects.get(kind="refunded")

    with pytest.raises(IntegrityError, match="a_booking_is_reversed_once"), transaction.atomic():
        LedgerTransaction.objects.create(
            source="again",
            kind="refund_failed",
            gateway="",
            occurred_at=NOW,
            recorded_at=NOW,
            reverses=original,
        )

    assert counts() == (2, 4)


@pytest.mark.parametrize(
    "entries",
    [[("EUR", 5)], [("EUR", 5), ("EUR", -4)], [("EUR", 5), ("USD", -5)]],
    ids=["one side", "unequal", "two currencies"],
)
def test_the_database_refuses_what_does_not_balance(entries: list[tuple[str, int]]) -> None:
    with pytest.raises(IntegrityError, match="does not balance"), transaction.atomic():
        insert_entries(insert_transaction("bad"), *entries)

    assert counts() == (0, 0)


def commit(*work: Callable[[], object]) -> None:
    """Do all this in one transaction."""
    with transaction.atomic():
        for part in work:
            part()


def test_the_database_refuses_a_transaction_without_entries_at_commit() -> None:
    with pytest.raises(IntegrityError, match="has no entries"):
        commit(lambda: insert_transaction("empty"))

    assert counts() == (0, 0)


def test_the_database_refuses_an_entry_of_nothing() -> None:
    with pytest.raises(IntegrityError, match="a_ledger_entry_moves_something"), transaction.atomic():
        insert_entries(insert_transaction("bad"), ("EUR", 0))


def test_what_is_posted_cannot_be_extended() -> None:
    post_committed(Sale().captured())
    [(transaction_id,)] = rows("SELECT id FROM payments_ledger_transaction")

    with pytest.raises(DatabaseError, match="not of this database transaction"), transaction.atomic():
        insert_entries(transaction_id, ("EUR", 5), ("EUR", -5))

    assert counts() == (1, 2)


def test_an_entry_needs_a_transaction() -> None:
    with pytest.raises(DatabaseError, match="not of this database transaction"), transaction.atomic():
        insert_entries(12345, ("EUR", 5), ("EUR", -5))


def extend_after_an_early_check() -> None:
    transaction_id = insert_transaction("early")
    insert_entries(transaction_id, ("EUR", 5), ("EUR", -5))
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    insert_entries(transaction_id, ("EUR", 7))


def test_checking_early_opens_no_way_to_unbalance() -> None:
    with pytest.raises(IntegrityError, match="does not balance"):
        commit(extend_after_an_early_check)

    assert counts() == (0, 0)


def test_nobody_can_post_in_the_past_of_the_chain() -> None:
    with pytest.raises(DatabaseError, match="not of this database transaction"):
        commit(lambda: insert_entries(insert_transaction("past", xid="5"), ("EUR", 5), ("EUR", -5)))

    assert counts() == (0, 0)


def test_a_reversal_of_no_row_is_refused_at_commit() -> None:
    with pytest.raises(IntegrityError, match="reverses none"):
        commit(lambda: insert_entries(insert_transaction("x", reverses_id=4711), ("EUR", 5), ("EUR", -5)))

    assert counts() == (0, 0)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    "statement", ["UPDATE {} SET id = id", "DELETE FROM {}", "SELECT 1 FROM {} FOR UPDATE"]
)
def test_the_role_has_no_right_to_change_what_is_posted(table: str, statement: str) -> None:
    post_committed(Sale().captured())

    with pytest.raises(ProgrammingError, match="permission denied"), connection.cursor() as cursor:
        cursor.execute(statement.format(table))

    assert counts() == (1, 2)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("statement", ["UPDATE {} SET id = id", "DELETE FROM {}"])
def test_a_trigger_refuses_a_superuser_too(pg: Addresses, table: str, statement: str) -> None:
    post_committed(Sale().captured())

    with as_superuser(pg.superuser) as superuser, pytest.raises(RestrictViolation, match="append-only"):
        superuser.execute(statement.format(table))

    assert counts() == (1, 2)
    assert LedgerSeal.objects.count() == 0
