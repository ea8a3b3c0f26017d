"""The rows of routing."""

from django.db import models


class PrimaryTimeline(models.Model):
    """A timeline of the log, and which server was the primary with it; a promotion begins a new one."""

    timeline = models.BigIntegerField(primary_key=True)
    place = models.TextField(help_text="the server's own address and port")
    seen_at = models.DateTimeField(help_text="when it was noticed, some seconds after it began")

    class Meta:
        app_label = "resilience"
        db_table = "resilience_primary_timeline"

    def __str__(self) -> str:
        return f"timeline {self.timeline} on {self.place}"
