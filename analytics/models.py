"""Projections: figures kept up to date from events, so that screens need not count rows."""

from typing import ClassVar

from django.db import models


class OrdersPerMinute(models.Model):
    """How many orders met one fate in one minute (UTC, by the time of the event)."""

    minute = models.DateTimeField()
    outcome = models.CharField(max_length=16)
    orders = models.BigIntegerField()

    class Meta:
        db_table = "analytics_orders_per_minute"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["minute", "outcome"], name="a_minute_counts_an_outcome_once")
        ]

    def __str__(self) -> str:
        return f"{self.orders} {self.outcome} at {self.minute:%Y-%m-%d %H:%M}"
