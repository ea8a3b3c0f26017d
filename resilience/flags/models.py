"""What the guards count, and what they and people did to flags."""

from typing import ClassVar

from django.db import models

from resilience.ids import new_id


class FlagExposure(models.Model):
    """How many units got one variant of one version of a flag, and how many of them failed or were slow."""

    id = models.BigAutoField(primary_key=True)
    flag = models.CharField(max_length=100)
    version = models.CharField(max_length=32)
    is_on = models.BooleanField()
    units = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)
    slow = models.BigIntegerField(default=0)
    last_at = models.DateTimeField()

    objects: "ClassVar[models.Manager[FlagExposure]]" = models.Manager()

    class Meta:
        app_label = "resilience"
        db_table = "resilience_flag_exposure"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["flag", "version", "is_on"], name="one_exposure_count_per_variant"
            ),
            models.CheckConstraint(
                condition=models.Q(failed__gte=0, slow__gte=0, units__gte=models.F("failed"))
                & models.Q(units__gte=models.F("slow")),
                name="no_more_bad_exposures_than_exposures",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.flag} {'on' if self.is_on else 'off'}: {self.units}"


class FlagGuard(models.Model):
    """What the guard of a flag knows of its newest version: one row a flag and measure.

    `seen` as `Block`; `log_e` as `Evidence`.
    """

    id = models.BigAutoField(primary_key=True)
    flag = models.CharField(max_length=100)
    measure = models.CharField(max_length=16)
    version = models.CharField(max_length=32)
    seen = models.JSONField(default=dict)
    log_e = models.FloatField(default=0.0)
    looked_at = models.DateTimeField()

    objects: "ClassVar[models.Manager[FlagGuard]]" = models.Manager()

    class Meta:
        app_label = "resilience"
        db_table = "resilience_flag_guard"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["flag", "measure"], name="one_guard_per_flag_and_measure")
        ]

    def __str__(self) -> str:
        return f"{self.flag}/{self.measure}: e = exp({self.log_e:.1f})"


class FlagChange(models.Model):
    """What was done to a switch or flag, by whom and why; append-only. `by` "guard": by itself."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=100)
    change = models.CharField(max_length=100)
    by = models.CharField(max_length=150)
    reason = models.TextField()
    evidence = models.JSONField(default=dict)
    at = models.DateTimeField()

    objects: "ClassVar[models.Manager[FlagChange]]" = models.Manager()

    class Meta:
        app_label = "resilience"
        db_table = "resilience_flag_change"
        indexes: ClassVar = [models.Index(fields=["-at"], name="flag_change_by_time")]

    def __str__(self) -> str:
        return f"{self.name} {self.change} by {self.by}"
