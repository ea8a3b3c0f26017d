"""The text and the digest of the chain: any change shows, and none of ours goes unnoticed."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.ledger.booking import Entry
from payments.ledger.chain import (
    GENESIS,
    MARK_BYTES,
    Posted,
    balance_key,
    digest_of,
    first_difference,
    line_of,
    mark_of,
    moved,
    split_balance_key,
)
from payments.ledger.floors import below_their_floor

ID = UUID("01890000-0000-7000-8000-000000000001")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
POSTED = Posted(
    xid=900,
    id=7,
    source="capture:1",
    kind="captured",
    gateway="sandbox-1",
    order_id=ID,
    payment_id=None,
    reverses_id=None,
    occurred_at=NOW,
    recorded_at=NOW,
    entries=(Entry("clearing:sandbox-1", "EUR", 5), Entry("receivable", "EUR", -5)),
)
OTHERS = {
    "id": 8,
    "source": "capture:ü",
    "kind": "fee",
    "gateway": "",
    "order_id": None,
    "payment_id": ID,
    "reverses_id": 1,
    "occurred_at": NOW + timedelta(microseconds=1),
    "recorded_at": NOW - timedelta(microseconds=1),
    "entries": POSTED.entries[::-1],
}
LINES = st.lists(st.binary(max_size=8), max_size=8)


def test_the_text_is_this_and_stays_this() -> None:
    """Whoever changes it breaks every chain there is."""
    assert line_of(POSTED) == (
        b'[7,"capture:1","captured","sandbox-1","01890000-0000-7000-8000-000000000001",null,null,'
        b'"2026-03-01T12:00:00.000000+00:00","2026-03-01T12:00:00.000000+00:00",'
        b'[["clearing:sandbox-1","EUR",5],["receivable","EUR",-5]]]\n'
    )
    assert digest_of(GENESIS, [line_of(POSTED)]) == (
        "821f9a05df07bcfc46b1737aabb04dfeeabe802a257f4644cede11c40d1cf043"
    )


@pytest.mark.parametrize("field", OTHERS)
def test_every_field_is_in_the_text(field: str) -> None:
    assert line_of(replace(POSTED, **{field: OTHERS[field]})) != line_of(POSTED)


def test_all_but_the_place_in_the_server_is_in_the_text() -> None:
    assert {field.name for field in fields(Posted)} == OTHERS.keys() | {"xid"}
    assert line_of(replace(POSTED, xid=1)) == line_of(POSTED)


def test_the_zone_in_which_a_time_was_read_makes_no_difference() -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=5)))

    assert line_of(replace(POSTED, occurred_at=elsewhere)) == line_of(POSTED)


@given(LINES, LINES)
def test_the_marks_find_the_first_line_that_differs(before: list[bytes], after: list[bytes]) -> None:
    marks = b"".join(map(mark_of, before))
    expected = next(
        (
            place
            for place in range(max(len(before), len(after)))
            if before[place : place + 1] != after[place : place + 1]
        ),
        None,
    )

    assert first_difference(marks, after) == expected
    assert len(marks) == MARK_BYTES * len(before)


@given(st.text(min_size=1, max_size=20))
def test_a_balance_is_named_by_account_and_currency(account: str) -> None:
    assert split_balance_key(balance_key(account, "EUR")) == (account, "EUR")


def test_what_sums_to_nothing_did_not_move() -> None:
    back = replace(POSTED, entries=tuple(replace(e, amount_minor=-e.amount_minor) for e in POSTED.entries))

    assert moved([POSTED, POSTED]) == {"clearing:sandbox-1 EUR": 10, "receivable EUR": -10}
    assert moved([POSTED, back]) == {}


@pytest.mark.parametrize(
    "balances",
    [
        {},
        {"clearing:a EUR": 100, "receivable EUR": -100},
        {"clearing:a EUR": 0, "receivable EUR": -100, "refunds EUR": 100},
        # All went back, and the gateway kept its fee.
        {"clearing:a EUR": -3, "receivable EUR": -100, "refunds EUR": 100, "fees EUR": 3},
        {"clearing:a EUR": -100, "clearing:b EUR": 200, "receivable EUR": -200, "disputes EUR": 100},
    ],
    ids=str,
)
def test_balances_where_they_may_be(balances: dict[str, int]) -> None:
    assert list(below_their_floor(balances)) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"receivable EUR": 1},
        {"refunds EUR": -1},
        {"fees EUR": -1},
        {"disputes EUR": -1},
        {"dispute_losses EUR": -1},
        {"clearing:a EUR": -1},
        {"clearing:a EUR": -1, "fees USD": 1},
        {"clearing:a EUR": -4, "fees EUR": 3},
        {"suspense EUR": 1},
    ],
    ids=str,
)
def test_a_balance_where_it_cannot_be(wrong: dict[str, int]) -> None:
    assert len(list(below_their_floor(wrong))) == 1
