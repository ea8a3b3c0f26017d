"""Payments over HTTP."""

from typing import ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from payments.api import representations
from payments.api.shapes import PaymentShape
from payments.errors import PaymentNotFoundError
from payments.models import Payment
from payments.selectors import disputes_of, next_check_of, payment_of
from resilience.apikeys.authentication import principal_of
from resilience.rest.openapi import CONSISTENCY_TOKEN
from resilience.routing.scope import primary_only


class PaymentView(APIView):
    """One payment."""

    required_permissions: ClassVar = {"GET": "payments.read"}
    header_parameters: ClassVar = {"GET": [CONSISTENCY_TOKEN]}

    @extend_schema(operation_id="getPayment", responses={200: PaymentShape})
    def get(self, request: Request, payment_id: UUID) -> Response:
        """Show a payment as it stands."""
        payment = existing_payment(principal_of(request).client, payment_id)
        return Response(
            representations.payment(
                payment, disputes=disputes_of(payment), next_check_at=next_check_of(payment)
            )
        )


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
