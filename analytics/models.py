"""Projections: figures kept up to date from events, so that screens need not count rows."""

from typing import ClassVar

from django.db import models


class Tally(models.Model):
    """How often something happened, and about how much, in one minute, hour or day (UTC).

    `measure` is an event's type ("order.placed", "payment.declined"), and "order.returned" for a confirmed
    order that was cancelled. Dimensions that it does not have are "". Currencies are never added up.
    """

    grain = models.CharField(max_length=6)
    at = models.DateTimeField()
    measure = models.CharField(max_length=64)
    currency = models.CharField(max_length=3)
    method_type = models.CharField(max_length=32)
    gateway = models.CharField(max_length=64)
    code = models.CharField(max_length=64)
    count = models.BigIntegerField()
    amount_minor = models.BigIntegerField()

    class Meta:
        db_table = "analytics_tally"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["grain", "at", "measure", "currency", "method_type", "gateway", "code"],
                name="a_moment_is_tallied_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.count} {self.measure} in the {self.grain} of {self.at:%Y-%m-%d %H:%M}"
