"""The double-entry ledger: one balanced transaction per money fact, and the chain that seals them."""

from typing import ClassVar

from django.db import models
from django.db.models import Func, Q

from resilience.events.fields import Xid8Field


class LedgerTransaction(models.Model):
    """One money fact. `source` names the fact, so that it is booked once: "capture:<payment id>", say.

    Append-only: triggers refuse UPDATE and DELETE, and the application's role has neither right.
    For want of UPDATE it cannot check a foreign key here (that takes FOR KEY SHARE), so triggers do.
    `xid` is the writer's; (xid, id) is the order in which the chain seals (payments/ledger/sealing.py).
    """

    id = models.BigAutoField(primary_key=True)
    source = models.CharField(max_length=128)
    kind = models.CharField(max_length=32)
    gateway = models.CharField(max_length=64)
    order_id = models.UUIDField(null=True)
    payment_id = models.UUIDField(null=True)
    reverses = models.ForeignKey(
        "self",
        null=True,
        on_delete=models.PROTECT,
        related_name="reversals",
        db_index=False,
        db_constraint=False,
    )
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    xid = Xid8Field(db_default=Func(function="pg_current_xact_id"), editable=False)

    class Meta:
        app_label = "payments"
        db_table = "payments_ledger_transaction"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source"], name="a_money_fact_is_booked_once"),
            models.UniqueConstraint(
                fields=["reverses"],
                condition=Q(reverses__isnull=False),
                name="a_booking_is_reversed_once",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["order_id"], name="ledger_of_an_order"),
            models.Index(fields=["xid", "id"], name="ledger_sealing_order"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.source}"


class LedgerEntry(models.Model):
    """One side of a transaction: `amount_minor` of `currency`, debit above zero, credit below.

    `account` is a name like "clearing:sandbox-1", "receivable", "refunds", "fees", "disputes".
    """

    id = models.BigAutoField(primary_key=True)
    transaction = models.ForeignKey(
        LedgerTransaction, on_delete=models.PROTECT, related_name="entries", db_constraint=False
    )
    account = models.CharField(max_length=96)
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()

    class Meta:
        app_label = "payments"
        db_table = "payments_ledger_entry"
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(amount_minor=0), name="a_ledger_entry_moves_something")
        ]
        indexes: ClassVar = [models.Index(fields=["account", "id"], name="ledger_of_an_account")]

    def __str__(self) -> str:
        return f"{self.account} {self.amount_minor} {self.currency}"


class LedgerSeal(models.Model):
    """A link of the hash chain over the transactions that it seals, and the balances after them.

    It seals everything behind the seal before, up to (`last_xid`, `last_transaction_id`).
    `digest` is SHA-256, in hex, over the digest before and the canonical text of the sealed rows.
    `marks` has 8 bytes per sealed transaction, to find the one that was tampered with; they prove nothing.
    `balances` maps "account currency" to minor units.
    """

    id = models.BigAutoField(primary_key=True)
    last_xid = Xid8Field()
    last_transaction_id = models.BigIntegerField()
    transactions = models.IntegerField()
    previous_digest = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)
    marks = models.BinaryField()
    balances = models.JSONField()
    sealed_at = models.DateTimeField()

    class Meta:
        app_label = "payments"
        db_table = "payments_ledger_seal"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["previous_digest"], name="a_ledger_chain_has_no_fork")
        ]

    def __str__(self) -> str:
        return f"seal {self.id} over {self.transactions} transactions"
