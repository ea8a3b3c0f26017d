"""Payments over HTTP."""

from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from payments.errors import PaymentNotFoundError
from payments.models import Payment
from payments.selectors import next_check_of, payment_of
from payments.states import PaymentStatus
from resilience.apikeys.authentication import principal_of
from resilience.rest.openapi import CONSISTENCY_TOKEN
from resilience.routing.scope import primary_only


class MoneyShape(serializers.Serializer[Any]):
    """An amount in minor units and its ISO 4217 currency."""

    amount = serializers.IntegerField()
    currency = serializers.CharField()


class PaymentShape(serializers.Serializer[Any]):
    """A payment. While it is in doubt, nobody knows yet whether money moved, and `message` says so."""

    id = serializers.UUIDField()
    order_id = serializers.UUIDField()
    method = serializers.CharField()
    status = serializers.ChoiceField(choices=[status.value for status in PaymentStatus])
    amount = MoneyShape()
    captured = MoneyShape()
    refunded = MoneyShape()
    decline_code = serializers.CharField(allow_null=True)
    action_url = serializers.CharField(allow_null=True)
    in_doubt_since = serializers.DateTimeField(allow_null=True)
    next_check_at = serializers.DateTimeField(allow_null=True)
    message = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    settled_at = serializers.DateTimeField(allow_null=True)


# Never "you were not charged" before that is known (research: peers 13).
IN_DOUBT_MESSAGE = "The payment is being confirmed. Do not pay again; the result is shown here."


class PaymentView(APIView):
    """One payment."""

    required_permissions: ClassVar = {"GET": "payments.read"}
    header_parameters: ClassVar = {"GET": [CONSISTENCY_TOKEN]}

    @extend_schema(operation_id="getPayment", responses={200: PaymentShape})
    def get(self, request: Request, payment_id: UUID) -> Response:
        """Show a payment as it stands."""
        return Response(_represent(existing_payment(principal_of(request).client, payment_id)))


def existing_payment(client: str, payment_id: UUID) -> Payment:
    """Return a client's payment. Raises PaymentNotFoundError; another client's is none either."""
    payment = payment_of(client, payment_id)
    if payment is None:
        # Only the primary may say that there is none, since a replica lags.
        with primary_only():
            payment = payment_of(client, payment_id)
    if payment is None:
        raise PaymentNotFoundError(f"There is no payment {payment_id}.")
    return payment


def timestamp(moment: datetime | None) -> str | None:
    """Return a time as the API writes it: RFC 3339 in UTC."""
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _represent(payment: Payment) -> dict[str, Any]:
    def money(amount_minor: int) -> dict[str, Any]:
        return {"amount": amount_minor, "currency": payment.currency}

    return {
        "id": str(payment.id),
        "order_id": str(payment.order_id),
        "method": payment.method,
        "status": payment.status,
        "amount": money(payment.amount_minor),
        "captured": money(payment.captured_minor),
        "refunded": money(payment.refunded_minor),
        "decline_code": payment.decline_code or None,
        "action_url": payment.action_url or None,
        "in_doubt_since": timestamp(payment.in_doubt_since),
        "next_check_at": timestamp(next_check_of(payment)),
        "message": IN_DOUBT_MESSAGE if payment.in_doubt_since else None,
        "created_at": timestamp(payment.created_at),
        "settled_at": timestamp(payment.settled_at),
    }
