"""The rows of telemetry. A total is also what a series is known by; the others say when it grew.

`value`: what a counter counted, or where a gauge stands. `count`, `total` and `buckets`: a histogram's
observations, their sum in seconds, and how many fell into each bucket (telemetry/buckets.py); over a span,
`count` and `total` also of what a gauge was set to, whose greatest is the `peak`.
"""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models


class MetricTotal(models.Model):
    """One series over the whole fleet, since the beginning, for `/metrics`. `at`: when it last moved."""

    id = models.BigAutoField(primary_key=True)
    metric = models.TextField()
    labels = models.JSONField()
    kind = models.TextField()
    value = models.FloatField()
    count = models.BigIntegerField()
    total = models.FloatField()
    buckets = ArrayField(models.BigIntegerField(), null=True)
    at = models.DateTimeField()

    class Meta:
        app_label = "resilience"
        db_table = "resilience_metric_total"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["metric", "labels"], name="a_series_has_one_total")
        ]

    def __str__(self) -> str:
        return f"{self.metric} {self.labels}"


class MetricWriter(models.Model):
    """The last batch that a process handed on, so that one sent again after a lost answer counts once."""

    process = models.TextField(primary_key=True)
    sequence = models.BigIntegerField()
    at = models.DateTimeField()

    class Meta:
        app_label = "resilience"
        db_table = "resilience_metric_writer"

    def __str__(self) -> str:
        return f"{self.process} at {self.sequence}"


class _Span(models.Model):
    """What one series gained in the span of time that begins at `at`."""

    series = models.BigIntegerField()
    at = models.DateTimeField()
    value = models.FloatField()
    peak = models.FloatField(null=True)
    count = models.BigIntegerField()
    total = models.FloatField()
    buckets = ArrayField(models.BigIntegerField(), null=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"series {self.series} at {self.at}"


class Metric10s(_Span):
    """Ten seconds of one series."""

    pk = models.CompositePrimaryKey("series", "at")

    class Meta:
        app_label = "resilience"
        db_table = "resilience_metric_10s"
        # Finds what is new and what is old. Small, for the many rows of one moment share an entry.
        indexes: ClassVar = [models.Index(fields=["at"], name="metric_10s_by_time")]


class MetricMinute(_Span):
    """A minute of one series."""

    pk = models.CompositePrimaryKey("series", "at")

    class Meta:
        app_label = "resilience"
        db_table = "resilience_metric_minute"
        indexes: ClassVar = [models.Index(fields=["at"], name="metric_minute_by_time")]


class MetricHour(_Span):
    """An hour of one series."""

    pk = models.CompositePrimaryKey("series", "at")

    class Meta:
        app_label = "resilience"
        db_table = "resilience_metric_hour"
        indexes: ClassVar = [models.Index(fields=["at"], name="metric_hour_by_time")]
