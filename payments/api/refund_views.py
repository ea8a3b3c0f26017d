"""Refunds over HTTP: translate in, make one call, translate out."""

from typing import ClassVar
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from payments.api import representations
from payments.api.shapes import RefundPage, RefundRequest, RefundShape
from payments.api.views import existing_payment
from payments.errors import RefundNotFoundError
from payments.models import Payment, Refund
from payments.selectors import doubts_of, refund_of, refunds_of
from payments.services.request_refund import request_refund
from payments.states import RefundStatus
from resilience import clock
from resilience.apikeys.authentication import principal_of
from resilience.idempotency.answer import Answer
from resilience.idempotency.idempotent import REPLAYED_HEADER, idempotent
from resilience.rest.openapi import CONSISTENCY_TOKEN, IDEMPOTENCY_KEY
from resilience.rest.pagination import PARAMETERS, page_of_rows, read_page
from resilience.rest.query import query_parameters
from resilience.rest.waiting import PREFER_WAIT, preferred_wait_s, wait_while
from resilience.routing.scope import primary_only


class RefundsView(APIView):
    """The refunds of a payment."""

    required_permissions: ClassVar = {"GET": "payments.read", "POST": "payments.refund"}
    header_parameters: ClassVar = {"POST": [IDEMPOTENCY_KEY], "GET": [CONSISTENCY_TOKEN]}

    @extend_schema(
        operation_id="requestRefund",
        request=RefundRequest,
        responses={201: RefundShape},
        parameters=[PREFER_WAIT],
    )
    def post(self, request: Request, payment_id: UUID) -> HttpResponse:
        """Ask for a refund. Once this has answered 201 its amount is reserved, and it survives any crash.

        It is made in the background; its `status` tells how far it is.
        """
        wait_s = preferred_wait_s(request)
        asked = RefundRequest.read(request.data)
        client = principal_of(request).client
        begun: list[Refund] = []

        def perform() -> Answer:
            begun.append(
                request_refund(
                    client=client,
                    payment_id=payment_id,
                    amount_minor=asked.get("amount"),
                    reason=asked.get("reason", ""),
                    now=clock.now(),
                )
            )
            return _created(begun[-1].payment, begun[-1])

        response = idempotent(request, perform=perform)
        # A replay is answered at once: what it began, if anything, was rolled back.
        if wait_s and begun and REPLAYED_HEADER not in response:
            return _waited(response, begun[-1], wait_s=wait_s)
        return response

    @extend_schema(
        operation_id="listRefunds",
        responses={200: RefundPage},
        parameters=[OpenApiParameter("cursor", str), OpenApiParameter("limit", int)],
    )
    def get(self, request: Request, payment_id: UUID) -> Response:
        """List the refunds of a payment, newest first."""
        parameters = query_parameters(request, allowed=PARAMETERS)
        client = principal_of(request).client
        wanted = read_page(request, client=client, parameters=parameters)
        payment = existing_payment(client, payment_id)
        rows = list(refunds_of(payment, before=wanted.before)[: wanted.rows_wanted])
        doubts = doubts_of(payment, rows)

        def represent(row: Refund) -> representations.Json:
            return representations.refund(row, currency=payment.currency, doubt=doubts.get(row.pk))

        return Response(page_of_rows(rows, wanted=wanted, represent=represent))


class RefundView(APIView):
    """One refund."""

    required_permissions: ClassVar = {"GET": "payments.read"}
    header_parameters: ClassVar = {"GET": [CONSISTENCY_TOKEN]}

    @extend_schema(operation_id="getRefund", responses={200: RefundShape})
    def get(self, request: Request, payment_id: UUID, refund_id: UUID) -> Response:
        """Show a refund as it stands."""
        payment = existing_payment(principal_of(request).client, payment_id)
        return Response(_document(payment, _existing_refund(payment, refund_id)))


def _existing_refund(payment: Payment, refund_id: UUID) -> Refund:
    refund = refund_of(payment, refund_id)
    if refund is None:
        # Only the primary may say that there is none, since a replica lags.
        with primary_only():
            refund = refund_of(payment, refund_id)
    if refund is None:
        raise RefundNotFoundError(f"This payment has no refund {refund_id}.")
    return refund


def _document(payment: Payment, refund: Refund) -> representations.Json:
    doubt = doubts_of(payment, [refund]).get(refund.pk)
    return representations.refund(refund, currency=payment.currency, doubt=doubt)


def _created(payment: Payment, refund: Refund, **headers: str) -> Answer:
    location = f"/api/v1/payments/{payment.pk}/refunds/{refund.pk}"
    return Answer.of_document(
        _document(payment, refund), status=201, headers={"Location": location, **headers}
    )


def _waited(response: HttpResponse, refund: Refund, *, wait_s: int) -> HttpResponse:
    if not wait_while(lambda: _is_pending(refund.pk), wait_s=wait_s):
        return response
    with primary_only():
        refund.refresh_from_db()
        answer = _created(refund.payment, refund, **{"Preference-Applied": f"wait={wait_s}"})
    return answer.as_response()


def _is_pending(refund_id: UUID) -> bool:
    return Refund.objects.using("default").filter(pk=refund_id, status=RefundStatus.PENDING).exists()
