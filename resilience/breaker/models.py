"""What people have forced upon breakers, who changed it, and how breakers moved."""

from typing import ClassVar

from django.db import models

from resilience.breaker.states import BreakerState, Force
from resilience.ids import new_id

_STATES = [state.value for state in BreakerState]
_FORCES = [force.value for force in Force]


class BreakerOverride(models.Model):
    """A forced state, in every process within a beat, until it ends by itself."""

    name = models.CharField(max_length=100, primary_key=True)
    state = models.CharField(max_length=16)
    owner = models.CharField(max_length=150)
    reason = models.TextField()
    until = models.DateTimeField()
    created_at = models.DateTimeField()

    class Meta:
        app_label = "resilience"
        db_table = "resilience_breaker_override"
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(state__in=_FORCES), name="a_forced_breaker_state_is_known"
            ),
            models.CheckConstraint(
                condition=models.Q(until__gt=models.F("created_at")), name="a_forced_breaker_state_ends_later"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.state} by {self.owner} until {self.until:%Y-%m-%d %H:%M:%S} UTC"


class BreakerOverrideChange(models.Model):
    """What a person did to a breaker, and why: append-only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=100)
    action = models.CharField(max_length=16, choices=[("force", "force"), ("release", "release")])
    state = models.CharField(max_length=16, blank=True)
    operator = models.CharField(max_length=150)
    reason = models.TextField()
    until = models.DateTimeField(null=True)
    at = models.DateTimeField()

    class Meta:
        app_label = "resilience"
        db_table = "resilience_breaker_override_change"
        indexes: ClassVar = [models.Index(fields=["name", "-at"], name="breaker_change_by_name")]

    def __str__(self) -> str:
        return f"{self.operator}: {self.action} {self.name} ({self.reason})"


class BreakerTransition(models.Model):
    """A breaker moved, for the fleet or for one process: append-only, kept for 30 days."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    breaker = models.CharField(max_length=100)
    scope = models.CharField(max_length=8, choices=[("fleet", "fleet"), ("process", "process")])
    before = models.CharField(max_length=16)
    after = models.CharField(max_length=16)
    reason = models.CharField(max_length=32, blank=True)
    process = models.CharField(max_length=80)
    total = models.IntegerField()
    failed = models.IntegerField()
    slow = models.IntegerField()
    failing_workers = models.IntegerField()
    at = models.DateTimeField()

    class Meta:
        app_label = "resilience"
        db_table = "resilience_breaker_transition"
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(after__in=_STATES), name="a_breaker_state_is_known")
        ]
        indexes: ClassVar = [models.Index(fields=["-at"], name="breaker_moved_at")]

    def __str__(self) -> str:
        return f"{self.breaker}: {self.before} to {self.after}"
