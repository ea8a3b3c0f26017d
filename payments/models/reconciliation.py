"""Reconciliation: what a gateway's own list says beside ours."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from payments.states import ExceptionKind, RunStatus
from resilience.ids import new_id


class ReconciliationRun(models.Model):
    """One pass over a gateway account's list. `cursor` is where an interrupted pass goes on."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    gateway = models.CharField(max_length=64)
    status = models.CharField(max_length=16, default=RunStatus.RUNNING)
    since = models.DateTimeField(null=True)
    lines = models.IntegerField(default=0)
    matched = models.IntegerField(default=0)
    booked = models.IntegerField(default=0, help_text="facts that we had missed")
    exceptions = models.IntegerField(default=0)
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
            )
        ]

    def __str__(self) -> str:
        return f"reconciliation of {self.gateway} at {self.started_at:%Y-%m-%d %H:%M} ({self.status})"


class ReconciliationException(models.Model):
    """A difference between a gateway's list and ours that nothing explains.

    `reference` is the gateway's id of the line, or our payment's when the gateway has none.
    It is resolved when a later pass no longer finds it, or by a person with a note.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    gateway = models.CharField(max_length=64)
    kind = models.CharField(max_length=32)
    reference = models.CharField(max_length=255)
    payment_id = models.UUIDField(null=True)
    order_id = models.UUIDField(null=True)
    ours = models.CharField(max_length=255, default="")
    theirs = models.CharField(max_length=255, default="")
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)
    resolution = models.TextField(default="")

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

    def __str__(self) -> str:
        return f"{self.kind} {self.reference}: ours {self.ours}, theirs {self.theirs}"
