"""Reading what is posted, in the order of the chain, a batch at a time."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connections

from payments.ledger.booking import Entry
from payments.ledger.chain import Posted
from resilience.routing import database_for_reads

# A batch is one statement of some 50 ms and a few MiB; ten times as much nears the role's time limit
# of 5 s on a busy server.
BATCH_MAX = 5_000


class Place(NamedTuple):
    """A place in the order of the chain."""

    xid: int
    id: int


START = Place(0, 0)
# Beyond every transaction: 2^64 - 1 and 2^63 - 1.
END = Place(2**64 - 1, 2**63 - 1)


class Seal(NamedTuple):
    """A link of the chain, as it is stored."""

    id: int
    through: Place
    transactions: int
    previous_digest: str
    digest: str
    marks: bytes
    balances: dict[str, int]
    sealed_at: datetime


def final_transactions(*, after: Place, limit: int) -> list[Posted]:
    """Return the first transactions behind `after` of which it is final that they come next."""
    return _select(f"{_COLUMNS} WHERE {_BEHIND} AND {_FINAL} {_ORDER}", [*_texts(after), limit])


def transactions(*, after: Place = START, through: Place = END) -> Iterator[Posted]:
    """Yield the transactions behind `after`, up to and with `through`."""
    while True:
        query = f"{_COLUMNS} WHERE {_BEHIND} AND (t.xid, t.id) <= (%s::xid8, %s) {_ORDER}"
        batch = _select(query, [*_texts(after), *_texts(through), BATCH_MAX])
        yield from batch
        if len(batch) < BATCH_MAX:
            return
        after = Place(batch[-1].xid, batch[-1].id)


def transactions_with(ids: Sequence[int]) -> dict[int, Posted]:
    """Return these transactions by id; one that is not there is left out."""
    if not ids:
        return {}
    found = _select(f"{_COLUMNS} WHERE t.id = ANY(%s) {_ORDER}", [list(ids), len(ids)])
    return {posted.id: posted for posted in found}


def last_seal() -> Seal | None:
    """Return the end of the chain, None before there is one."""
    seals = _select_seals("ORDER BY id DESC LIMIT 1", [])
    return seals[0] if seals else None


def seals() -> Iterator[Seal]:
    """Yield the links of the chain, from the first."""
    last_id = 0
    while batch := _select_seals("WHERE id > %s ORDER BY id LIMIT %s", [last_id, _SEALS_MAX]):
        yield from batch
        last_id = batch[-1].id


def select(query: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return the rows that a query finds, on the database that the caller's scope reads from."""
    with connections[database_for_reads()].cursor() as cursor:
        cursor.execute(query, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


# With their marks, seals may be large.
_SEALS_MAX = 200

_COLUMNS = """
SELECT t.xid::text, t.id, t.source, t.kind, t.gateway, t.order_id, t.payment_id, t.reverses_id, t.occurred_at,
       t.recorded_at,
       (SELECT json_agg(json_build_array(e.account, e.currency, e.amount_minor) ORDER BY e.id)
        FROM payments_ledger_entry e WHERE e.transaction_id = t.id)
FROM payments_ledger_transaction t
"""
_BEHIND = "(t.xid, t.id) > (%s::xid8, %s)"
_FINAL = "t.xid < pg_snapshot_xmin(pg_current_snapshot())"
_ORDER = "ORDER BY t.xid, t.id LIMIT %s"


def _texts(place: Place) -> tuple[str, int]:
    return str(place.xid), place.id


def _select(query: str, parameters: Sequence[Any]) -> list[Posted]:
    return [_posted(*row) for row in select(query, parameters)]


def _posted(xid: str, *columns: Any) -> Posted:
    *others, entries = columns
    return Posted(int(xid), *others, tuple(Entry(*entry) for entry in entries or ()))  # type: ignore[call-arg]


_SEALS = """
SELECT id, last_xid::text, last_transaction_id, transactions, previous_digest, digest, marks, balances,
       sealed_at
FROM payments_ledger_seal
"""


def _select_seals(condition: str, parameters: Sequence[Any]) -> list[Seal]:
    return [_seal(*row) for row in select(f"{_SEALS} {condition}", parameters)]


def _seal(seal_id: int, last_xid: str, last_id: int, *columns: Any) -> Seal:
    transactions, previous_digest, digest, marks, balances, sealed_at = columns
    return Seal(
        id=seal_id,
        through=Place(int(last_xid), last_id),
        transactions=transactions,
        previous_digest=previous_digest,
        digest=digest,
        marks=bytes(marks),
        balances=json.loads(balances),
        sealed_at=sealed_at,
    )
