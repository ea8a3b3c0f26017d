"""A refund: captured money that goes back."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from payments.models.payment import Payment
from payments.states import RefundSource, RefundStatus
from resilience.ids import new_id


class Refund(models.Model):
    """Money of a payment that goes back, from the wish to the gateway's word.

    While it is pending its amount is reserved on the payment, so that refunds side by side can never
    give back more than was captured. `reference` is the gateway's id of it.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    amount_minor = models.BigIntegerField()
    reason = models.CharField(max_length=255, default="")
    source = models.CharField(max_length=16)
    status = models.CharField(max_length=16, default=RefundStatus.PENDING)
    reference = models.CharField(max_length=255, default="")
    failure_code = models.CharField(max_length=64, default="")
    created_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "payments"
        db_table = "payments_refund"
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="a_refund_is_more_than_nothing"),
            models.CheckConstraint(
                condition=Q(status__in=[status.value for status in RefundStatus]),
                name="a_refund_status_is_known",
            ),
            models.CheckConstraint(
                condition=Q(source__in=[source.value for source in RefundSource]),
                name="a_refund_source_is_known",
            ),
            models.UniqueConstraint(
                fields=["payment", "reference"],
                condition=~Q(reference=""),
                name="a_refund_of_the_gateway_is_booked_once",
            ),
            models.UniqueConstraint(
                fields=["payment"],
                condition=Q(status=RefundStatus.PENDING, source=RefundSource.RETURN),
                name="one_return_of_the_rest_at_a_time",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["settled_at"], condition=Q(status=RefundStatus.SUCCEEDED), name="refunds_made"
            ),
            models.Index(
                fields=["created_at"], condition=Q(status=RefundStatus.PENDING), name="refunds_under_way"
            ),
        ]

    def __str__(self) -> str:
        return f"refund of {self.amount_minor} ({self.status})"
