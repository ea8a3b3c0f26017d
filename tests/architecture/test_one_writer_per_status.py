"""Rows with a status are written by one module each, so that its edge table holds for everybody."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.architecture.tree import ROOMS, Source, source_of, sources

# Tables, and the one module that writes them. Products have no status; their stock does not go by here.
WRITERS = {
    "orders_order": "orders/store.py",
    "orders_order_line": "orders/store.py",
    "orders_reservation": "orders/store.py",
    "payments_payment": "payments/store/writing.py",
    "payments_operation": "payments/store/writing.py",
    "payments_dispute": "payments/store/disputes.py",
    "payments_reconciled_fact": "payments/store/runs.py",
    "payments_reconciliation_exception": "payments/store/exceptions.py",
    "payments_reconciliation_run": "payments/store/runs.py",
    "payments_refund": "payments/store/writing.py",
    "payments_ledger_entry": "payments/ledger/posting.py",
    "payments_ledger_seal": "payments/ledger/sealing.py",
    "payments_ledger_transaction": "payments/ledger/posting.py",
    "payments_gateway_notice": "payments/notice_store.py",
    "resilience_saga": "resilience/saga/store.py",
    "resilience_saga_step": "resilience/saga/store.py",
}
# An attribute called `status` that is no row's: a claimed saga in memory, which the store's checkpoint
# compares and writes; and charges in the book of the fake gateway.
IN_MEMORY = ("resilience/saga/walk.py", "payments/testing/bank.py")
# What a person does to a parked saga, whose row is locked and whose fence moves on.
BY_HAND = ("resilience/saga/operate.py",)
# The sandbox has a book of its own.
ELSEWHERE = "payments/sandbox/"
# Rows of a past that never was, to measure pages on; refused in production.
MADE_UP = "config/history/"

_SQL_WRITE = re.compile(
    r"\b(?:UPDATE|INSERT\s+INTO|DELETE\s+FROM|COPY)\s+(?:ONLY\s+)?\"?(\w+)\"?", re.IGNORECASE
)
_ORM_WRITES = {"acreate", "aupdate", "create", "get_or_create", "update", "update_or_create"}


def _foreign_sql(source: Source) -> Iterator[str]:
    """Yield each SQL statement that writes a table of another writer."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for table in _SQL_WRITE.findall(node.value):
                if WRITERS.get(table.lower(), source.name) != source.name:
                    yield f"{source.name}:{node.lineno} writes {table}"


def _status_writes(source: Source) -> Iterator[str]:
    """Yield each way to write a status past SQL: an attribute, a keyword of the ORM, a list of fields."""
    for node in ast.walk(source.tree):
        if _sets_status(node) and source.name not in (*IN_MEMORY, *BY_HAND):
            yield f"{source.name}:{node.lineno} {ast.unparse(node)}"


def _sets_status(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(attr="status", ctx=ast.Store()):
            return True
        case ast.Call(func=ast.Name(id="setattr"), args=[_, ast.Constant(value="status"), *_]):
            return True
        case ast.Call(func=ast.Attribute(attr="bulk_update" | "save")):
            return any(isinstance(part, ast.Constant) and part.value == "status" for part in ast.walk(node))
        case ast.Call(func=ast.Attribute(attr=name)) if name in _ORM_WRITES:
            return any(keyword.arg == "status" for keyword in node.keywords) or any(
                isinstance(part, ast.Dict) and any(_is_status(key) for key in part.keys)
                for part in ast.walk(node)
            )
    return False


def _is_status(key: ast.AST | None) -> bool:
    return isinstance(key, ast.Constant) and key.value == "status"


def test_each_table_is_written_by_its_writer_only():
    offenders = [
        found
        for source in sources(*ROOMS)
        if not source.name.startswith((ELSEWHERE, MADE_UP))
        for found in _foreign_sql(source)
    ]

    assert offenders == []


def test_no_status_is_written_past_the_stores():
    offenders = [
        found
        for source in sources("analytics", "orders", "payments", "resilience")
        if not source.name.startswith((ELSEWHERE, MADE_UP))
        for found in _status_writes(source)
    ]

    assert offenders == []


def test_each_writer_writes_its_tables():
    texts = {source.name: source.text for source in sources(*ROOMS)}

    assert [
        table for table, writer in WRITERS.items() if table not in _SQL_WRITE.findall(texts[writer])
    ] == []


@pytest.mark.parametrize(
    "text",
    [
        'SQL = "UPDATE orders_order SET status = 1"',
        'SQL = """\n  insert into\n payments_payment (id) values (1)"""',
        'SQL = "DELETE FROM ONLY resilience_saga"',
    ],
)
def test_the_rule_sees_sql(text: str):
    assert len(list(_foreign_sql(source_of("orders/selectors.py", text)))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "order.status = OrderStatus.CONFIRMED",
        'setattr(order, "status", "confirmed")',
        "Order.objects.filter(pk=1).update(status=OrderStatus.CONFIRMED)",
        'Order.objects.update_or_create(pk=1, defaults={"status": 1})',
        'Order.objects.bulk_update(rows, ["status"])',
        'order.save(update_fields=["status", "settled_at"])',
    ],
)
def test_the_rule_sees_python(text: str):
    assert len(list(_status_writes(source_of("orders/services/bad.py", text)))) == 1
