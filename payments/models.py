"""Payments and the operations asked of gateways, with the invariants that no code may break."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from payments.states import OperationKind, OperationOutcome, PaymentStatus, Phase
from resilience.ids import new_id


def _values(
    enum: type[PaymentStatus] | type[OperationKind] | type[Phase] | type[OperationOutcome],
) -> list[str]:
    return [member.value for member in enum]


class Payment(models.Model):
    """One tender of an order: an amount on one method.

    `order_id` and `client` are opaque ids of other contexts. Amounts are minor units of `currency`.
    `in_doubt_since` is set while an operation was asked and not answered.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    order_id = models.UUIDField()
    client = models.CharField(max_length=64)
    position = models.PositiveSmallIntegerField()
    method = models.CharField(max_length=255)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=16, default=PaymentStatus.PENDING)
    captured_minor = models.BigIntegerField(default=0)
    refunded_minor = models.BigIntegerField(default=0)
    gateway = models.CharField(max_length=64, default="")
    reference = models.CharField(max_length=255, default="", help_text="the gateway's id of the charge")
    action_url = models.TextField(default="")
    action_until = models.DateTimeField(null=True)
    decline_code = models.CharField(max_length=64, default="")
    in_doubt_since = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "payments_payment"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["order_id", "position"], name="a_tender_has_one_place_in_its_order"
            ),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="a_payment_is_more_than_nothing"),
            models.CheckConstraint(
                condition=Q(refunded_minor__gte=0)
                & Q(refunded_minor__lte=F("captured_minor"))
                & Q(captured_minor__lte=F("amount_minor")),
                name="refunded_at_most_captured_at_most_the_amount",
            ),
            models.CheckConstraint(
                condition=Q(status__in=_values(PaymentStatus)), name="a_payment_status_is_known"
            ),
            models.CheckConstraint(
                condition=~Q(status=PaymentStatus.CAPTURED) | Q(captured_minor=F("amount_minor")),
                name="captured_means_the_whole_amount",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["in_doubt_since"], condition=Q(in_doubt_since__isnull=False), name="payments_in_doubt"
            )
        ]

    def __str__(self) -> str:
        return f"{self.amount_minor} {self.currency} on {self.method} ({self.status})"


class Operation(models.Model):
    """One request to a gateway under one idempotency key, from intent to outcome.

    The key is written before the call, is the same on every retry, and is followed by a new one
    only after this operation is settled as refused or proven never to have happened.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="operations")
    kind = models.CharField(max_length=16)
    gateway = models.CharField(max_length=64, help_text="the account that it was sent to")
    key = models.CharField(max_length=64)
    amount_minor = models.BigIntegerField()
    phase = models.CharField(max_length=16)
    outcome = models.CharField(max_length=16, default="")
    reference = models.CharField(max_length=255, default="")
    error = models.TextField(default="")
    sends = models.IntegerField(default=0)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    in_doubt_since = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "payments_operation"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["key"], name="an_idempotency_key_is_never_used_again"),
            models.UniqueConstraint(
                fields=["payment", "kind"],
                condition=~Q(phase=Phase.SETTLED),
                name="one_live_operation_of_a_kind_per_payment",
            ),
            models.UniqueConstraint(
                fields=["payment", "kind"],
                condition=Q(outcome=OperationOutcome.SUCCEEDED)
                & Q(kind__in=[OperationKind.AUTHORIZE, OperationKind.CAPTURE, OperationKind.VOID]),
                name="a_payment_is_authorized_captured_voided_once",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=_values(OperationKind)), name="an_operation_kind_is_known"
            ),
            models.CheckConstraint(condition=Q(phase__in=_values(Phase)), name="an_operation_phase_is_known"),
            models.CheckConstraint(
                condition=Q(phase=Phase.SETTLED, outcome__in=_values(OperationOutcome))
                | (~Q(phase=Phase.SETTLED) & Q(outcome="")),
                name="an_operation_has_an_outcome_when_settled",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key} ({self.outcome or self.phase})"
