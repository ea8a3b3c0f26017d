"""A notice: what a gateway told us of its own accord (an incoming webhook)."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from payments.states import NoticeStatus
from resilience.ids import new_id


class GatewayNotice(models.Model):
    """One event of a gateway, stored as it came, before it was acknowledged.

    `reference` is the gateway's id of the charge that it is about, "" when it is about none.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    gateway = models.CharField(max_length=64)
    event_id = models.CharField(max_length=255, help_text="the gateway's id of the event")
    type = models.CharField(max_length=128)
    reference = models.CharField(max_length=255, default="")
    body = models.JSONField()
    status = models.CharField(max_length=16, default=NoticeStatus.RECEIVED)
    detail = models.TextField(default="", help_text="what was made of it, or why it waits")
    payment_id = models.UUIDField(null=True)
    received_at = models.DateTimeField()
    handled_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "payments"
        db_table = "payments_gateway_notice"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["gateway", "event_id"], name="a_gateway_event_is_stored_once"),
            models.CheckConstraint(
                condition=Q(status__in=[status.value for status in NoticeStatus]),
                name="a_notice_status_is_known",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["received_at"],
                condition=Q(status__in=[NoticeStatus.RECEIVED, NoticeStatus.WAITING]),
                name="notices_to_handle",
            ),
            models.Index(fields=["reference"], condition=~Q(reference=""), name="notices_by_reference"),
            models.Index(fields=["payment_id"], name="notices_of_a_payment"),
        ]

    def __str__(self) -> str:
        return f"{self.gateway} {self.type} {self.event_id} ({self.status})"
