"""A database with payments of before there was a ledger, and refunds without rows of their own."""

from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import connection

from payments.ledger.agreement import disagreements
from payments.ledger.balances import balances
from payments.ledger.verify import verify
from payments.models import Refund
from resilience.clock import now
from resilience.ids import new_id

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def before() -> Iterator[None]:
    call_command("migrate", "payments", "0002", verbosity=0)
    yield
    call_command("migrate", "payments", verbosity=0)


def insert(table: str, **values: object) -> None:
    columns, places = ", ".join(values), ", ".join(["%s"] * len(values))
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} ({columns}) VALUES ({places})", list(values.values()))


def old_payment(status: str, *, captured_minor: int = 0, refunded_minor: int = 0) -> object:
    payment_id = new_id()
    is_settled = status in ("captured", "declined", "voided", "refunded")
    insert(
        "payments_payment",
        id=payment_id, order_id=new_id(), client="shop", position=0, method="pm_card_visa", amount_minor=1000,
        currency="EUR", status=status, captured_minor=captured_minor, refunded_minor=refunded_minor,
        gateway="sandbox-1", reference=f"pi_{payment_id}", action_url="", decline_code="", created_at=now(),
        settled_at=now() if is_settled else None,
    )  # fmt: skip
    return payment_id


def old_refund(payment_id: object, phase: str, outcome: str = "") -> None:
    operation_id = new_id()
    insert(
        "payments_operation",
        id=operation_id, payment_id=payment_id, kind="refund", gateway="sandbox-1", key=f"key-{operation_id}",
        amount_minor=1000, phase=phase, outcome=outcome, reference=f"re_{operation_id}" if outcome else "",
        error="", sends=1, created_at=now(), sent_at=now(), settled_at=now() if outcome else None,
    )  # fmt: skip


def test_what_was_taken_and_given_back_before_the_ledger_is_booked(before: None) -> None:
    old_payment("pending")
    old_payment("declined")
    old_payment("captured", captured_minor=1000)
    given_back = old_payment("refunded", captured_minor=1000, refunded_minor=1000)
    old_refund(given_back, "settled", "succeeded")
    under_way = old_payment("captured", captured_minor=1000)
    old_refund(under_way, "in_doubt")

    call_command("migrate", "payments", verbosity=0)

    assert list(disagreements()) == []
    assert {line.account: line.balance_minor for line in balances().lines} == {
        "clearing:sandbox-1": 2000,
        "receivable": -3000,
        "refunds": 1000,
    }
    assert list(verify()) == []
    assert sorted(Refund.objects.values_list("status", "source", "amount_minor")) == [
        ("pending", "return", 1000),
        ("succeeded", "return", 1000),
    ]


def test_the_ledger_of_before_is_written_once(before: None) -> None:
    old_payment("captured", captured_minor=1000)

    call_command("migrate", "payments", verbosity=0)
    call_command("migrate", "payments", "0008", verbosity=0)
    call_command("migrate", "payments", verbosity=0)

    assert list(disagreements()) == []
