"""A payment: one tender of an order."""

from typing import ClassVar

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q

from payments.states import MethodType, PaymentStatus
from resilience.ids import new_id


class Payment(models.Model):
    """One tender of an order: an amount on one method.

    `order_id` and `client` are opaque ids of other contexts. Amounts are minor units of `currency`;
    `refund_reserved_minor` is what refunds under way may still give back.
    `in_doubt_since` is set while an operation was asked and not answered.
    `capture_before` is when an authorization lapses, as far as the gateway told.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    order_id = models.UUIDField()
    client = models.CharField(max_length=64)
    position = models.PositiveSmallIntegerField()
    method = models.CharField(max_length=255)
    method_type = models.CharField(max_length=16, default=MethodType.CARD)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=16, default=PaymentStatus.PENDING)
    captured_minor = models.BigIntegerField(default=0)
    refunded_minor = models.BigIntegerField(default=0)
    refund_reserved_minor = models.BigIntegerField(default=0, db_default=0)
    gateway = models.CharField(max_length=64, default="")
    reference = models.CharField(max_length=255, default="", help_text="the gateway's id of the charge")
    action_type = models.CharField(max_length=16, default="", db_default="")
    action_url = models.TextField(default="")
    action_until = models.DateTimeField(null=True)
    decline_code = models.CharField(max_length=64, default="")
    in_doubt_since = models.DateTimeField(null=True)
    capture_before = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "payments"
        db_table = "payments_payment"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["order_id", "position"], name="a_tender_has_one_place_in_its_order"
            ),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="a_payment_is_more_than_nothing"),
            models.CheckConstraint(
                condition=Q(refunded_minor__gte=0)
                & Q(refund_reserved_minor__gte=0)
                & Q(captured_minor__gte=F("refunded_minor") + F("refund_reserved_minor"))
                & Q(captured_minor__lte=F("amount_minor")),
                name="refunded_at_most_captured_at_most_the_amount",
            ),
            models.CheckConstraint(
                condition=Q(status__in=[status.value for status in PaymentStatus]),
                name="a_payment_status_is_known",
            ),
            models.CheckConstraint(
                condition=Q(method_type__in=[method_type.value for method_type in MethodType]),
                name="a_payment_method_type_is_known",
            ),
            models.CheckConstraint(
                condition=~Q(status=PaymentStatus.CAPTURED) | Q(captured_minor=F("amount_minor")),
                name="captured_means_the_whole_amount",
            ),
            models.CheckConstraint(
                condition=~Q(status=PaymentStatus.REFUNDED) | Q(refunded_minor=F("captured_minor")),
                name="refunded_means_all_that_was_captured",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["in_doubt_since"], condition=Q(in_doubt_since__isnull=False), name="payments_in_doubt"
            ),
            models.Index(
                fields=["gateway", "reference"],
                condition=~Q(reference=""),
                name="payments_by_reference",
            ),
            # By blocks: rows lie in the order of their time, and such an index keeps no update off its page.
            BrinIndex(fields=["settled_at"], autosummarize=True, name="payments_settled"),
        ]

    def __str__(self) -> str:
        return f"{self.amount_minor} {self.currency} on {self.method} ({self.status})"
