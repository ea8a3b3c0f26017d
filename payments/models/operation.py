"""An operation: one request to a gateway under one key."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from payments.models.payment import Payment
from payments.models.refund import Refund
from payments.states import OperationKind, OperationOutcome, Phase
from resilience.ids import new_id


class Operation(models.Model):
    """One request to a gateway under one idempotency key, from intent to outcome.

    The key is written before the call, is the same on every retry, and is followed by a new one
    only after this operation is settled as refused or proven never to have happened.
    `refund` is set for refunds, of which a payment may have several at once.
    `evidence` is the gateway's last answer as far as it may be shown (no secrets, no payer's data).
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="operations")
    # Indexed for refunds only (below): most operations are none, and each update of them would pay for it.
    refund = models.ForeignKey(
        Refund, null=True, on_delete=models.PROTECT, related_name="operations", db_index=False
    )
    kind = models.CharField(max_length=16)
    gateway = models.CharField(max_length=64, help_text="the account that it was sent to")
    key = models.CharField(max_length=64)
    amount_minor = models.BigIntegerField()
    phase = models.CharField(max_length=16)
    outcome = models.CharField(max_length=16, default="")
    reference = models.CharField(max_length=255, default="")
    error = models.TextField(default="")
    evidence = models.JSONField(null=True)
    sends = models.IntegerField(default=0)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    in_doubt_since = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "payments"
        db_table = "payments_operation"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["key"], name="an_idempotency_key_is_never_used_again"),
            models.UniqueConstraint(
                fields=["payment", "kind"],
                condition=~Q(phase=Phase.SETTLED) & ~Q(kind=OperationKind.REFUND),
                name="one_live_operation_of_a_kind_per_payment",
            ),
            models.UniqueConstraint(
                fields=["refund"],
                condition=Q(refund__isnull=False) & ~Q(phase=Phase.SETTLED),
                name="one_live_operation_per_refund",
            ),
            models.UniqueConstraint(
                fields=["refund"],
                condition=Q(refund__isnull=False, outcome=OperationOutcome.SUCCEEDED),
                name="a_refund_is_made_once",
            ),
            models.UniqueConstraint(
                fields=["payment", "kind"],
                condition=Q(outcome=OperationOutcome.SUCCEEDED)
                & Q(kind__in=[OperationKind.AUTHORIZE, OperationKind.CAPTURE]),
                name="a_payment_is_authorized_and_captured_once",
            ),
            models.CheckConstraint(
                condition=Q(kind=OperationKind.REFUND, refund__isnull=False)
                | (~Q(kind=OperationKind.REFUND) & Q(refund__isnull=True)),
                name="a_refund_operation_has_its_refund",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=[kind.value for kind in OperationKind]),
                name="an_operation_kind_is_known",
            ),
            models.CheckConstraint(
                condition=Q(phase__in=[phase.value for phase in Phase]), name="an_operation_phase_is_known"
            ),
            models.CheckConstraint(
                condition=Q(phase=Phase.SETTLED, outcome__in=[outcome.value for outcome in OperationOutcome])
                | (~Q(phase=Phase.SETTLED) & Q(outcome="")),
                name="an_operation_has_an_outcome_when_settled",
            ),
        ]

        indexes: ClassVar = [
            models.Index(fields=["refund"], condition=Q(refund__isnull=False), name="operations_of_a_refund")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key} ({self.outcome or self.phase})"
