"""An answer that was given, under the key that asked for it."""

from typing import ClassVar

from django.db import models


class IdempotencyRecord(models.Model):
    """The stored answer to one request. Written once, in the effect's own transaction, never changed."""

    # No id of its own: one index less on the busiest insert of the platform.
    pk = models.CompositePrimaryKey("client", "endpoint", "key")
    client = models.CharField(max_length=64)
    endpoint = models.CharField(max_length=512)
    key = models.CharField(max_length=255)
    # SHA-256 of the body's canonical JSON.
    fingerprint = models.BinaryField(max_length=32)
    status = models.PositiveSmallIntegerField()
    headers = models.JSONField(default=dict)
    body = models.TextField()
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        app_label = "resilience"
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(expires_at__gt=models.F("created_at")),
                name="idempotency_record_expires_after_it_was_created",
            )
        ]
