"""The SQL that Holdfast sends for one order, recorded from the real code and made to fit any order.

So pgbench does the same writes by construction: whoever changes the hot path changes its script too.
"""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from benchmarks.backlog import PRODUCTS, SKU_MIN, Backlog, place, sku
from orders.sagas import PLACE_ORDER
from resilience.clock import now
from resilience.saga.models import Saga
from resilience.saga.runner import Runner

# UUIDs as psycopg writes them (32 digits) and as JSON and keys do (with dashes).
_UUID = re.compile(r"\b([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\b")
# The number of an order is the last part of all its ids, which has 12 digits.
_NUMBER_MIN = 100_000_000_000

# The rows of a placed order: how they are found, and what in them is drawn from a sequence.
_PLACED = (
    ("orders_order", "id", "'number', nextval('orders_number')"),
    ("orders_order_line", "order_id", "'id', nextval(pg_get_serial_sequence('orders_order_line', 'id'))"),
    ("payments_payment", "order_id", ""),
    ("resilience_saga", "business_key", ""),
    ("resilience_event_stream", "aggregateid", ""),
)
_CLONE = """
INSERT INTO {table}
SELECT (jsonb_populate_record(
  NULL::{table},
  replace(replace(%s, ':number', n::text), ':sku', (%s + n %% %s)::text)::jsonb || jsonb_build_object({drawn})
)).*
FROM generate_series(%s, %s) AS n
"""


@dataclass
class Recording:
    """One order as templates: its rows when it was placed, and the transactions that settled it.

    In them `:number` and `:sku` stand for which order it is.
    """

    order_id: str
    rows: list[tuple[str, str, str]]
    transactions: list[list[str]] = field(default_factory=list)
    next_number: int = _NUMBER_MIN

    def clone(self, count: int) -> int:
        """Place `count` orders like the recorded one; return the number of the first."""
        first = self.next_number
        self.next_number += count
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            for table, drawn, row in self.rows:
                cursor.execute(
                    _CLONE.format(table=table, drawn=drawn),
                    [row, SKU_MIN, PRODUCTS, first, first + count - 1],
                )
        return first

    def backlog(self, first: int, count: int) -> Backlog:
        """Return the orders with these numbers."""
        numbers = range(first, first + count)
        return Backlog(tuple(UUID(self.order_id.replace(":number", str(number))) for number in numbers))


def record() -> Recording:
    """Settle one order in this process, through the real saga, and return what it sent."""
    order_id = place(1).first
    template = _Template()
    recording = Recording(order_id=template.of(str(order_id)), rows=_rows(order_id, template))
    (saga_id,) = Saga.objects.filter(definition=PLACE_ORDER.name, business_key=order_id).values_list(
        "id", flat=True
    )
    with ThreadPoolExecutor(1) as executor, _recorded(recording, template):
        Runner(owner="benchmark", lease_s=15.0, executor=executor, clock=now, random=Random(0)).run([saga_id])
    return recording


class _Template:
    """Replaces the ids of one order by patterns: which of its ids it is, and the order's number."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    def of(self, text: str) -> str:
        return _UUID.sub(self._pattern, text).replace(sku(0), "bench-:sku")

    def _pattern(self, found: re.Match[str]) -> str:
        place = self._places.setdefault("".join(found.groups()), len(self._places))
        dash = "-" if "-" in found[0] else ""
        return dash.join((f"{place:08d}", "0000", "7000", "8000", ":number"))


def _rows(order_id: UUID, template: _Template) -> list[tuple[str, str, str]]:
    rows = []
    with connection.cursor() as cursor:
        for table, key, drawn in _PLACED:
            cursor.execute(f"SELECT to_jsonb(row)::text FROM {table} AS row WHERE {key} = %s", [order_id])
            rows += [(table, drawn, template.of(row)) for (row,) in cursor.fetchall()]
    return rows


@contextmanager
def _recorded(recording: Recording, template: _Template) -> Iterator[None]:
    statements: list[str] = []

    def committed() -> None:
        recording.transactions.append(statements.copy())
        statements.clear()

    def note(execute: Callable[..., Any], query: str, params: Any, many: Any, context: dict[str, Any]) -> Any:
        if not statements:
            transaction.on_commit(committed)
        sent = context["cursor"].cursor.mogrify(query, params)
        statements.append(" ".join(template.of(sent).split()))
        return execute(query, params, many, context)

    with connection.execute_wrapper(note):
        yield
