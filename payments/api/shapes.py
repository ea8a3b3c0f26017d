"""The shapes of the payments API: what requests may say, and what answers say (for the schema)."""

from typing import Any

from rest_framework import serializers

from payments.money import AMOUNT_MINOR_MAX
from payments.states import DisputeStatus, MethodType, PaymentStatus, RefundSource, RefundStatus
from resilience.rest.fields import StrictInteger, StrictString
from resilience.rest.serializers import StrictSerializer

# What the column holds.
REASON_LENGTH_MAX = 255


class RefundRequest(StrictSerializer):
    """What to give back, in minor units of the payment's currency; without `amount`, all that is left."""

    amount = StrictInteger(min_value=1, max_value=AMOUNT_MINOR_MAX, required=False)
    reason = StrictString(max_length=REASON_LENGTH_MAX, required=False)


class MoneyShape(serializers.Serializer[Any]):
    """An amount in minor units and its ISO 4217 currency."""

    amount = serializers.IntegerField()
    currency = serializers.CharField()


class PaymentActionShape(serializers.Serializer[Any]):
    """What the payer has to do, and until when: `redirect` (3-D Secure) or `voucher` (pay the slip)."""

    type = serializers.ChoiceField(choices=["redirect", "voucher"])
    url = serializers.CharField()
    until = serializers.DateTimeField(allow_null=True)


class DisputeShape(serializers.Serializer[Any]):
    """A chargeback: the payer's bank has the money while it is `open`, and for good when it is `lost`."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=[status.value for status in DisputeStatus])
    amount = MoneyShape()
    reason = serializers.CharField(allow_null=True)
    opened_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)


class PaymentShape(serializers.Serializer[Any]):
    """A payment. While it is in doubt, nobody knows yet whether money moved, and `message` says so.

    `message` is for the buyer, and null where everything is known. `refundable` is what a refund may ask
    for now; `capture_before` is when an authorization lapses, as far as the gateway told.
    """

    id = serializers.UUIDField()
    order_id = serializers.UUIDField()
    method = serializers.CharField()
    method_type = serializers.ChoiceField(choices=[method_type.value for method_type in MethodType])
    status = serializers.ChoiceField(choices=[status.value for status in PaymentStatus])
    processing = serializers.BooleanField()
    amount = MoneyShape()
    captured = MoneyShape()
    refunded = MoneyShape()
    refundable = MoneyShape()
    disputes = DisputeShape(many=True)
    decline_code = serializers.CharField(allow_null=True)
    action_url = serializers.CharField(allow_null=True)
    next_action = PaymentActionShape(allow_null=True)
    in_doubt_since = serializers.DateTimeField(allow_null=True)
    next_check_at = serializers.DateTimeField(allow_null=True)
    message = serializers.CharField(allow_null=True)
    capture_before = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    settled_at = serializers.DateTimeField(allow_null=True)


class RefundShape(serializers.Serializer[Any]):
    """Money that goes back. While it is `pending`, `message` is what the buyer may be told of it.

    `in_doubt_since` and `next_check_at` are there while the gateway was asked and has not answered.
    `source` says who wanted it: `request` (this API), `return` (its order ended), `late` (its money came
    after the end), `gateway` (somebody there).
    """

    id = serializers.UUIDField()
    payment_id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=[status.value for status in RefundStatus])
    amount = MoneyShape()
    reason = serializers.CharField(allow_null=True)
    failure_code = serializers.CharField(allow_null=True)
    source = serializers.ChoiceField(  # type: ignore[assignment] # the name is the API's
        choices=[source.value for source in RefundSource]
    )
    created_at = serializers.DateTimeField()
    settled_at = serializers.DateTimeField(allow_null=True)
    in_doubt_since = serializers.DateTimeField(required=False)
    next_check_at = serializers.DateTimeField(required=False)
    message = serializers.CharField(required=False)


class RefundPage(serializers.Serializer[Any]):
    """A payment's refunds, newest first."""

    data = RefundShape(many=True)  # type: ignore[assignment] # the name is the API's
    next_cursor = serializers.CharField(allow_null=True)
