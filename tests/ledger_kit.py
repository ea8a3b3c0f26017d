"""What the tests of the ledger share: facts to book, and hands that go past its guards."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import psycopg
from django.db import connection, transaction
from psycopg.conninfo import make_conninfo

from payments.ledger import facts
from payments.ledger.booking import Booking
from payments.ledger.posting import post
from payments.models import Payment
from payments.states import PaymentStatus
from resilience.ids import new_id

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
GATEWAY = "sandbox-1"
CLEARING = f"clearing:{GATEWAY}"


@dataclass(frozen=True)
class Sale:
    """A payment of some order, as its facts name it."""

    amount_minor: int = 1000
    currency: str = "EUR"
    gateway: str = GATEWAY
    payment_id: UUID = field(default_factory=new_id)
    order_id: UUID = field(default_factory=new_id)

    def _subject(self, amount_minor: int | None) -> dict[str, object]:
        return {
            "payment_id": self.payment_id,
            "order_id": self.order_id,
            "gateway": self.gateway,
            "amount_minor": self.amount_minor if amount_minor is None else amount_minor,
            "currency": self.currency,
            "occurred_at": NOW,
        }

    def captured(self, amount_minor: int | None = None) -> Booking:
        return facts.captured(**self._subject(amount_minor))  # type: ignore[arg-type]

    def refunded(self, refund_id: UUID, amount_minor: int | None = None) -> Booking:
        return facts.refunded(refund_id=refund_id, **self._subject(amount_minor))  # type: ignore[arg-type]

    def refund_failed(self, refund_id: UUID, amount_minor: int | None = None) -> Booking:
        return facts.refund_failed(refund_id=refund_id, **self._subject(amount_minor))  # type: ignore[arg-type]

    def fee(self, line_id: str, amount_minor: int) -> Booking:
        return facts.fee(line_id=line_id, **self._subject(amount_minor))  # type: ignore[arg-type]

    def dispute_opened(self, dispute_id: UUID, amount_minor: int | None = None) -> Booking:
        return facts.dispute_opened(dispute_id=dispute_id, **self._subject(amount_minor))  # type: ignore[arg-type]

    def dispute_won(self, dispute_id: UUID, amount_minor: int | None = None) -> Booking:
        return facts.dispute_won(dispute_id=dispute_id, **self._subject(amount_minor))  # type: ignore[arg-type]

    def dispute_lost(self, dispute_id: UUID, amount_minor: int | None = None) -> Booking:
        return facts.dispute_lost(dispute_id=dispute_id, **self._subject(amount_minor))  # type: ignore[arg-type]

    def as_payment(self, *, client: str = "shop", position: int = 0, refunded_minor: int = 0) -> Payment:
        """Write the row of the payment, captured."""
        return Payment.objects.create(
            id=self.payment_id,
            order_id=self.order_id,
            client=client,
            position=position,
            method="pm_card_visa",
            amount_minor=self.amount_minor,
            currency=self.currency,
            status=PaymentStatus.CAPTURED,
            captured_minor=self.amount_minor,
            refunded_minor=refunded_minor,
            gateway=self.gateway,
            reference=f"pi_{self.payment_id.hex}",
            created_at=NOW,
        )


def post_committed(*bookings: Booking) -> None:
    with transaction.atomic():
        post(bookings, now=NOW)


def rows(query: str, *parameters: object) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return cursor.fetchall()


def posted() -> list[tuple]:
    """Return what is in the ledger: (source, account, currency, amount), in the order of posting."""
    return rows(
        "SELECT t.source, e.account, e.currency, e.amount_minor FROM payments_ledger_entry e "
        "JOIN payments_ledger_transaction t ON t.id = e.transaction_id ORDER BY e.id"
    )


@contextmanager
def as_superuser(url: str) -> Iterator[psycopg.Connection]:
    """Connect to the application's database as one whom no right stops."""
    with psycopg.connect(make_conninfo(url, dbname="holdfast"), autocommit=True) as superuser:
        yield superuser


def tamper(url: str, statement: str, parameters: Sequence[object] = ()) -> int:
    """Change rows with every trigger silenced, as nobody should be able to; return how many."""
    with as_superuser(url) as superuser:
        superuser.execute("SET session_replication_role = replica")
        return superuser.execute(statement, parameters).rowcount  # type: ignore[arg-type]
