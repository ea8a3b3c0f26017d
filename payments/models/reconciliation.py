"""Reconciliation: what a gateway's own list says beside ours."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from payments.states import ExceptionKind, RunStatus
from resilience.ids import new_id


class ReconciliationRun(models.Model):
    """One pass over a gateway account's list, the whole of it or from `since` on.

    `lines` of the list, `matched` of them; `booked` facts that we had missed; `exceptions`, `under_way`
    and `accepted` count lines and facts of ours. `summary` says per currency how much is explained.
    While it runs it holds a lease: a run whose lease has passed is dead, and the next one says so.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    gateway = models.CharField(max_length=64)
    status = models.CharField(max_length=16, default=RunStatus.RUNNING)
    since = models.DateTimeField(null=True)
    lines = models.IntegerField(default=0)
    matched = models.IntegerField(default=0)
    booked = models.IntegerField(default=0, help_text="facts that we had missed")
    exceptions = models.IntegerField(default=0)
    under_way = models.IntegerField(default=0, help_text="not judged: we are still asking about it")
    accepted = models.IntegerField(default=0, help_text="differences that a person has explained")
    summary = models.JSONField(default=dict)
    lease_until = models.DateTimeField(null=True)
    error = models.TextField(default="")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "payments"
        db_table = "payments_reconciliation_run"
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(status__in=[status.value for status in RunStatus]),
                name="a_reconciliation_run_status_is_known",
            ),
            models.UniqueConstraint(
                fields=["gateway"],
                condition=Q(status=RunStatus.RUNNING),
                name="an_account_is_reconciled_by_one_run_at_a_time",
            ),
            models.CheckConstraint(
                condition=Q(status=RunStatus.RUNNING) ^ Q(lease_until__isnull=True),
                name="a_reconciliation_run_holds_a_lease_while_it_runs",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["gateway", "-started_at"], name="reconciliations_of_a_gateway")
        ]

    def __str__(self) -> str:
        return f"reconciliation of {self.gateway} at {self.started_at:%Y-%m-%d %H:%M} ({self.status})"


class ReconciledFact(models.Model):
    """A fact of ours that a line of the list mentioned, for as long as the run lasts.

    `fact` is its name in the ledger: "capture:<payment id>". What no line mentioned is looked for here,
    so that a pass holds a page in memory and not the list.
    """

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(ReconciliationRun, on_delete=models.CASCADE, related_name="facts")
    fact = models.CharField(max_length=64)

    class Meta:
        app_label = "payments"
        db_table = "payments_reconciled_fact"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "fact"], name="a_fact_has_one_line_in_a_list")
        ]

    def __str__(self) -> str:
        return self.fact


class ReconciliationException(models.Model):
    """A difference between a gateway's list and ours that nothing explains.

    `reference` is the gateway's id of the line, or our payment's when the gateway has none.
    It is resolved when a later pass that covers `occurred_at` no longer finds it, or by a person
    (`resolved_by`) with a note: then the same difference is not opened again.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    gateway = models.CharField(max_length=64)
    kind = models.CharField(max_length=32)
    reference = models.CharField(max_length=255)
    payment_id = models.UUIDField(null=True)
    order_id = models.UUIDField(null=True)
    ours = models.CharField(max_length=255, default="")
    theirs = models.CharField(max_length=255, default="")
    occurred_at = models.DateTimeField(null=True, help_text="when the money moved, as far as is known")
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)
    resolution = models.TextField(default="")
    resolved_by = models.CharField(max_length=64, default="", db_default="")

    class Meta:
        app_label = "payments"
        db_table = "payments_reconciliation_exception"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["gateway", "kind", "reference"],
                condition=Q(resolved_at__isnull=True),
                name="a_difference_is_open_once",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=[kind.value for kind in ExceptionKind]),
                name="a_reconciliation_exception_kind_is_known",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["gateway", "reference"],
                condition=~Q(resolved_by=""),
                name="differences_people_explained",
            ),
            models.Index(
                fields=["first_seen_at"],
                condition=Q(resolved_at__isnull=True),
                name="differences_unexplained",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.reference}: ours {self.ours}, theirs {self.theirs}"
