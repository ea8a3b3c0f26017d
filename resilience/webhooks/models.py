"""Endpoints of clients, what is to be delivered to them, and how each attempt went."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from resilience.ids import new_id
from resilience.webhooks.states import DeliveryState, DisabledReason


class WebhookEndpoint(models.Model):
    """An address of a client. `types` empty: every event type. `is_ordered`: see docs/webhooks.md.

    The secrets are kept as they are, because each delivery is signed with them; `secrets_before` are those
    that still sign, the newest first: {"secret": …, "until": RFC 3339}. `failures_in_row`,
    `failing_since` and `paused_until` are its breaker, which all senders share.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    client = models.CharField(max_length=64)
    url = models.CharField(max_length=2048)
    description = models.CharField(max_length=200, default="")
    types = ArrayField(models.CharField(max_length=128), default=list)
    is_ordered = models.BooleanField(default=False)
    secret = models.CharField(max_length=128)
    secrets_before = models.JSONField(default=list)
    disabled_at = models.DateTimeField(null=True)
    disabled_reason = models.CharField(max_length=16, default="")
    failures_in_row = models.PositiveIntegerField(default=0)
    failing_since = models.DateTimeField(null=True)
    paused_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        app_label = "resilience"
        db_table = "resilience_webhook_endpoint"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["client", "url"],
                condition=~Q(disabled_reason=DisabledReason.DELETED.value),
                name="a_client_names_an_address_once",
            ),
            models.CheckConstraint(
                condition=Q(disabled_at__isnull=True, disabled_reason="")
                | Q(
                    disabled_at__isnull=False, disabled_reason__in=[reason.value for reason in DisabledReason]
                ),
                name="a_webhook_endpoint_is_disabled_for_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.client}: {self.url}"


class WebhookDelivery(models.Model):
    """One event for one endpoint: the same bytes at each attempt, under the event's id."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="deliveries")
    event_id = models.UUIDField()
    type = models.CharField(max_length=128)
    aggregate_id = models.UUIDField()
    sequence = models.BigIntegerField()
    body = models.TextField()
    state = models.CharField(max_length=16, default=DeliveryState.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(null=True)
    leased_until = models.DateTimeField(null=True)
    # The first attempt since it was made, or asked for again: until then it waits, and is not given up.
    tried_since = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "resilience"
        db_table = "resilience_webhook_delivery"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["endpoint", "event_id"], name="an_event_is_delivered_once_per_endpoint"
            ),
            models.CheckConstraint(
                condition=Q(state=DeliveryState.PENDING.value, due_at__isnull=False, settled_at__isnull=True)
                | Q(
                    state__in=[DeliveryState.DELIVERED.value, DeliveryState.FAILED.value],
                    due_at__isnull=True,
                    settled_at__isnull=False,
                ),
                name="a_webhook_delivery_is_due_or_settled",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["endpoint", "due_at"], condition=Q(state="pending"), name="webhook_delivery_due"
            ),
            models.Index(
                fields=["endpoint", "aggregate_id", "sequence"],
                condition=Q(state="pending"),
                name="webhook_delivery_in_order",
            ),
            models.Index(
                fields=["endpoint", "leased_until"],
                condition=Q(state="pending", leased_until__isnull=False),
                name="webhook_delivery_held",
            ),
            models.Index(fields=["endpoint", "-id"], name="webhook_delivery_newest"),
            models.Index(fields=["aggregate_id"], name="webhook_delivery_of_aggregate"),
            models.Index(
                fields=["settled_at"], condition=Q(settled_at__isnull=False), name="webhook_delivery_settled"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id} ({self.state})"


class WebhookAttempt(models.Model):
    """How one attempt went. `http_status` None: there was no answer, and `error` says why."""

    id = models.BigAutoField(primary_key=True)
    delivery = models.ForeignKey(WebhookDelivery, on_delete=models.CASCADE, related_name="log")
    number = models.PositiveIntegerField()
    at = models.DateTimeField()
    took_s = models.FloatField(help_text="seconds")
    http_status = models.PositiveSmallIntegerField(null=True)
    error = models.TextField(default="")
    reply = models.TextField(default="")

    class Meta:
        app_label = "resilience"
        db_table = "resilience_webhook_attempt"

    def __str__(self) -> str:
        return f"attempt {self.number}: {self.http_status or self.error}"
