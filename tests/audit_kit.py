"""What the tests of the audit share: a world in which every promise was kept, and hands that break one."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

import psycopg
from django.db import connection

from config.audit.run_audit import run_audit
from orders.services.cancel_order import cancel_order
from orders.subscriptions import REFUNDS
from payments.models import Payment
from payments.services.request_refund import request_refund
from resilience.audit import Report, Result, Verdict
from resilience.clock import now
from resilience.events import run_once
from tests.ledger_kit import as_superuser
from tests.orders_kit import CLIENT, carry_to_the_end, place, stock
from tests.sandbox.conftest import Gateway

DECLINED = "pm_card_visa_chargeDeclined"
PIECES = 100


@dataclass(frozen=True)
class World:
    """Five orders that have ended, each in its way, and the gateway that they were paid at."""

    gateway: Gateway
    superuser_url: str
    paid: UUID
    declined: UUID
    cancelled: UUID
    refunded: UUID
    split: UUID

    def payment(self, order_id: UUID) -> Payment:
        """Return the order's (first) payment."""
        return Payment.objects.filter(order_id=order_id).order_by("position")[0]

    def tamper(self, statement: str, *parameters: object) -> None:
        """Change rows with every trigger silenced."""
        with as_superuser(self.superuser_url) as superuser:
            superuser.execute("SET session_replication_role = replica")
            assert superuser.execute(statement, parameters).rowcount > 0  # type: ignore[arg-type]

    @contextmanager
    def without(self, constraint: str, *, table: str) -> Iterator[psycopg.Connection]:
        """Work without a constraint or unique index; what broke it is gone again at the end."""
        with as_superuser(self.superuser_url) as superuser:
            query = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s"
            defined = superuser.execute(query, [constraint]).fetchone()
            query = "SELECT indexdef FROM pg_indexes WHERE indexname = %s"
            indexed = superuser.execute(query, [constraint]).fetchone()
            if defined:
                superuser.execute(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}")
            else:
                superuser.execute(f"DROP INDEX {constraint}")
            try:
                yield superuser
            finally:
                superuser.execute(f"TRUNCATE {table} CASCADE")
                superuser.execute(
                    f"ALTER TABLE {table} ADD CONSTRAINT {constraint} {defined[0]}" if defined else indexed[0]
                )

    def charge_again(self, order_id: UUID, *, amount_minor: int) -> str:
        """Take money once more for the order's payment, as a platform with a bug would; return its id."""
        payment = self.payment(order_id)
        return self.gateway.do(
            "/_console/charge",
            amount=amount_minor,
            currency="eur",
            metadata={"order_id": str(order_id), "payment_id": str(payment.id)},
        )["id"]


def sound_world(gateway: Gateway, superuser_url: str) -> World:
    """Place five orders and carry each to its end: paid, declined, cancelled, refunded in part, split."""
    stock(PIECES)
    paid, declined, cancelled, refunded = place(), place(DECLINED), place(), place()
    split = place("pm_card_visa", "pm_card_mastercard", quantity=2)
    carry_to_the_end([paid, declined, cancelled, refunded, split], within_s=30)
    assert cancel_order(client=CLIENT, order_id=cancelled, now=now())
    payment = Payment.objects.get(order_id=refunded)
    refund = request_refund(
        client=CLIENT, payment_id=payment.pk, amount_minor=400, reason="asked for", now=now()
    )
    carry_to_the_end([cancelled, refund.pk], within_s=30)
    while run_once(REFUNDS, limit=100).handled:
        pass
    return World(gateway, superuser_url, paid, declined, cancelled, refunded, split)


def audit(*ids: str, is_quiescent: bool = True) -> Report:
    """Judge everything, by default as if all were at rest."""
    return run_audit(ids=ids, is_quiescent=is_quiescent, clock=now)


def failed(report: Report) -> dict[str, list[tuple[str, ...]]]:
    """Return the rows that each check which did not pass complains of."""
    unsound = [result for result in report.results if result.verdict is not Verdict.PASS]
    assert [result.error for result in unsound if result.error] == []
    return {result.check.id: [violation.rows for violation in result.violations] for result in unsound}


def result_of(report: Report, check_id: str) -> Result:
    return next(result for result in report.results if result.check.id == check_id)


def execute(statement: str, *parameters: object) -> None:
    """Change rows as a bug of ours could."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        assert cursor.rowcount > 0, "nothing was there to be changed"
