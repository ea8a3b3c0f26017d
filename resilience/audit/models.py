"""The audits that were made on a schedule, for operators and the dashboard."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from resilience.ids import new_id

RUNNING = "running"


class AuditRun(models.Model):
    """One audit. `verdict` is "running" until it ends; `results` as in `Report.as_json`."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    verdict = models.CharField(max_length=16, default=RUNNING)
    results = models.JSONField(default=dict)

    class Meta:
        app_label = "resilience"
        db_table = "resilience_audit_run"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["verdict"], condition=Q(verdict=RUNNING), name="one_audit_runs_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(verdict__in=[RUNNING, "pass", "fail", "unknown"]),
                name="an_audit_verdict_is_known",
            ),
            models.CheckConstraint(
                condition=Q(finished_at__isnull=True, verdict=RUNNING)
                | (Q(finished_at__isnull=False) & ~Q(verdict=RUNNING)),
                name="an_audit_has_a_verdict_when_finished",
            ),
        ]

    def __str__(self) -> str:
        return f"audit at {self.started_at:%Y-%m-%d %H:%M:%S} ({self.verdict})"
