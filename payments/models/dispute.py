"""A dispute: a payer asks their bank for the money back."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from payments.models.payment import Payment
from payments.states import DisputeStatus
from resilience.ids import new_id


class Dispute(models.Model):
    """A chargeback as the gateway tells of it; the money is gone while it is open, and back when won."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="disputes")
    gateway = models.CharField(max_length=64)
    reference = models.CharField(max_length=255, help_text="the gateway's id of the dispute")
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=64, default="")
    status = models.CharField(max_length=16, default=DisputeStatus.OPEN)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "payments"
        db_table = "payments_dispute"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["gateway", "reference"], name="a_dispute_is_recorded_once"),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="a_dispute_is_more_than_nothing"),
            models.CheckConstraint(
                condition=Q(status__in=[status.value for status in DisputeStatus]),
                name="a_dispute_status_is_known",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["opened_at"], condition=Q(closed_at__isnull=True), name="disputes_open")
        ]

    def __str__(self) -> str:
        return f"dispute {self.reference} of {self.amount_minor} {self.currency} ({self.status})"
