"""The rows of the engine: a saga is the truth about its progress, its step log only remembers."""

from typing import ClassVar

from django.db import models

from resilience.ids import new_id
from resilience.saga.states import ACTIVE, TERMINAL, SagaStatus

# Sorted, for a set's order differs from process to process, and a migration would never be done.
_ACTIVE = sorted(status.value for status in ACTIVE)
_TERMINAL = sorted(status.value for status in TERMINAL)


class Saga(models.Model):
    """One run of a definition for one business key.

    `cursor` is the index of the step to do (or, while compensating, to undo) next.
    `fence` grows with every claim and checkpoint; a checkpoint with an older fence writes nothing.
    `rung_at` is the dispatcher's note of its last hint to Celery; it is never the truth.
    `due_at` is set as long as the engine goes on by itself: while active, and while parked over a doubt
    that is still asked about.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    definition = models.CharField(max_length=64)
    version = models.PositiveSmallIntegerField()
    business_key = models.UUIDField()
    status = models.CharField(max_length=16, default=SagaStatus.RUNNING)
    cursor = models.SmallIntegerField(default=0)
    attempt = models.IntegerField(default=0, help_text="attempts spent on the current step")
    waits = models.IntegerField(default=0, help_text="tries of the current step that spent no attempt")
    data = models.JSONField(default=dict)
    reason = models.TextField(default="", help_text="why it compensates")
    parked_from = models.CharField(max_length=16, default="", help_text="its status before it was parked")
    parked_reason = models.TextField(default="", help_text="why it was parked last")
    abort_requested = models.BooleanField(default=False)
    due_at = models.DateTimeField(null=True)
    deadline_at = models.DateTimeField()
    rung_at = models.DateTimeField(null=True)
    lease_owner = models.CharField(max_length=64, default="")
    lease_until = models.DateTimeField(null=True)
    fence = models.BigIntegerField(default=0)
    signals = models.IntegerField(default=0, db_default=0, help_text="how often it was told to look again")
    trace = models.CharField(
        max_length=55, default="", db_default="", help_text="the W3C traceparent of what started it"
    )
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "resilience"
        db_table = "resilience_saga"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["definition", "business_key"], name="a_saga_runs_once_for_its_business_key"
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=[status.value for status in SagaStatus]),
                name="a_saga_status_is_known",
            ),
            models.CheckConstraint(
                condition=models.Q(due_at__isnull=False) | ~models.Q(status__in=_ACTIVE),
                name="an_active_saga_is_due_at_some_time",
            ),
            models.CheckConstraint(
                condition=models.Q(due_at__isnull=True) | ~models.Q(status__in=_TERMINAL),
                name="an_ended_saga_is_never_due",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["due_at"],
                condition=models.Q(due_at__isnull=False),
                name="saga_is_due",
            ),
            models.Index(fields=["business_key"], name="saga_business_key"),
            # A handful of rows, ever: what moves is not in it, so the hot path does not write it.
            models.Index(
                fields=["business_key"],
                condition=models.Q(status=SagaStatus.PARKED.value),
                name="saga_is_parked",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.definition} v{self.version} {self.business_key} ({self.status})"


class SagaStep(models.Model):
    """What happened once at one step: append-only, one row per attempt."""

    id = models.BigAutoField(primary_key=True)
    saga = models.ForeignKey(Saga, on_delete=models.CASCADE, db_constraint=False, related_name="log")
    fence = models.BigIntegerField()
    step = models.CharField(max_length=64)
    direction = models.CharField(max_length=4, choices=[("do", "do"), ("undo", "undo")])
    attempt = models.IntegerField()
    outcome = models.CharField(max_length=16)
    error = models.TextField(default="")
    delay_s = models.FloatField(null=True, help_text="the wait chosen before the next attempt")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField()

    class Meta:
        app_label = "resilience"
        db_table = "resilience_saga_step"

    def __str__(self) -> str:
        return f"{self.direction} {self.step} #{self.attempt}: {self.outcome}"


class OperatorAction(models.Model):
    """What a person did to a saga, and why: append-only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    saga = models.ForeignKey(Saga, on_delete=models.PROTECT, related_name="operator_actions")
    operator = models.CharField(max_length=150)
    action = models.CharField(max_length=16)
    reason = models.TextField()
    step = models.CharField(max_length=64)
    at = models.DateTimeField()

    class Meta:
        app_label = "resilience"
        db_table = "resilience_operator_action"

    def __str__(self) -> str:
        return f"{self.operator}: {self.action} ({self.reason})"
