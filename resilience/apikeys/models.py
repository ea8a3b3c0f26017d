"""A key of a client."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from resilience.ids import new_id


class ApiKey(models.Model):
    """One key of one client (the tenant). Only a hash of its secret is kept."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    client = models.SlugField(max_length=64)
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=16, unique=True)
    # A plain hash is enough: the secret has 256 random bits, there is nothing to guess slowly.
    secret_sha256 = models.BinaryField(max_length=32)
    permissions = ArrayField(models.CharField(max_length=64), default=list)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    # Its own limit, else that of the settings; read with the key, so that a change counts within a second.
    rate_per_s = models.FloatField(null=True, blank=True, help_text="requests a second on average")
    burst = models.PositiveIntegerField(null=True, blank=True, help_text="requests at once after a pause")

    objects: "ClassVar[models.Manager[ApiKey]]" = models.Manager()

    class Meta:
        app_label = "resilience"
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(expires_at__isnull=True) | models.Q(expires_at__gt=models.F("created_at")),
                name="api_key_expires_after_it_was_created",
            ),
            models.CheckConstraint(
                condition=models.Q(rate_per_s__isnull=True, burst__isnull=True)
                | models.Q(
                    rate_per_s__isnull=False,
                    rate_per_s__gt=0,
                    rate_per_s__lt=float("inf"),
                    burst__isnull=False,
                    burst__gte=1,
                ),
                name="api_key_limit_is_whole_and_lets_something_pass",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.client}/{self.name} (hf_{self.prefix}_…)"
