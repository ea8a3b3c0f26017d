"""Orders over HTTP: translate in, make one call, translate out."""

from typing import ClassVar
from uuid import UUID

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.decorators import method_decorator
from django.views.decorators.http import conditional_page
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from structlog.contextvars import bind_contextvars

from orders.api import representations, shapes
from orders.api.cached import kept_order, order_document
from orders.api.reading import read_order
from orders.errors import OrderNotFoundError
from orders.models import Order
from orders.selectors import filtered_orders
from orders.services.cancel_order import cancel_order
from orders.services.place_order import PlacedOrder, place_order
from orders.states import OrderStatus
from payments.public import payments_of
from resilience import clock
from resilience.apikeys.authentication import principal_of
from resilience.idempotency.answer import Answer
from resilience.idempotency.idempotent import REPLAYED_HEADER, idempotent
from resilience.rest.errors import invalid_field
from resilience.rest.kept import answer_kept
from resilience.rest.openapi import CONSISTENCY_TOKEN, IDEMPOTENCY_KEY
from resilience.rest.pagination import PARAMETERS, page_of_rows, read_page
from resilience.rest.query import query_parameters, timestamp_parameter
from resilience.rest.waiting import PREFER_WAIT, preferred_wait_s, wait_while
from resilience.routing.scope import primary_only
from resilience.telemetry import counter

LIST_PARAMETERS = PARAMETERS | {"status", "customer", "placed_after", "placed_before"}


class OrdersView(APIView):
    """Place orders, and list those that were placed."""

    required_permissions: ClassVar = {"GET": "orders.read", "POST": "orders.write"}
    header_parameters: ClassVar = {"POST": [IDEMPOTENCY_KEY], "GET": [CONSISTENCY_TOKEN]}

    @extend_schema(
        operation_id="placeOrder",
        request=shapes.OrderRequest,
        responses={201: shapes.Order},
        parameters=[PREFER_WAIT],
    )
    def post(self, request: Request) -> HttpResponse:
        """Accept an order. Once this has answered 201 the order survives any crash.

        It is paid in the background; its `status` tells how far it is.
        """
        wait_s = preferred_wait_s(request)
        draft = read_order(request, now=clock.now())
        client = principal_of(request).client
        placed: list[PlacedOrder] = []

        def perform() -> Answer:
            placed.append(place_order(client=client, draft=draft, now=clock.now()))
            document = representations.placed_order(placed[-1])
            location = f"/api/v1/orders/{document['id']}"
            return Answer.of_document(document, status=201, headers={"Location": location})

        response = idempotent(request, perform=perform)
        if placed and REPLAYED_HEADER not in response:
            counter("orders_accepted_total", currency=draft.currency).add(1)
            bind_contextvars(order_id=str(placed[-1].order.id))
        # A replay is answered at once: what it placed, if anything, was rolled back.
        if wait_s and placed and REPLAYED_HEADER not in response:
            return _waited(response, client=client, order_id=placed[-1].order.id, wait_s=wait_s)
        return response

    @extend_schema(
        operation_id="listOrders",
        responses={200: shapes.OrderPage},
        parameters=[
            OpenApiParameter("status", str, enum=[status.value for status in OrderStatus]),
            OpenApiParameter("customer", str, description="The customer's reference."),
            OpenApiParameter("placed_after", OpenApiTypes.DATETIME),
            OpenApiParameter("placed_before", OpenApiTypes.DATETIME),
            OpenApiParameter("cursor", str),
            OpenApiParameter("limit", int),
        ],
    )
    def get(self, request: Request) -> Response:
        """List your orders, newest first."""
        parameters = query_parameters(request, allowed=LIST_PARAMETERS)
        client = principal_of(request).client
        wanted = read_page(request, client=client, parameters=parameters)
        status = parameters.get("status")
        if status is not None and status not in set(OrderStatus):
            raise invalid_field("status", code="invalid", detail=f"Send one of {', '.join(OrderStatus)}.")
        rows = list(
            filtered_orders(
                client,
                status=status,
                customer_reference=parameters.get("customer"),
                placed_after=timestamp_parameter(parameters, "placed_after"),
                placed_before=timestamp_parameter(parameters, "placed_before"),
                before=wanted.before,
            )[: wanted.rows_wanted]
        )
        payments = payments_of(order_ids=[row.id for row in rows])
        return Response(
            page_of_rows(
                rows, wanted=wanted, represent=lambda row: representations.order(row, payments[row.id])
            )
        )


@method_decorator(conditional_page, name="dispatch")
class OrderView(APIView):
    """One order."""

    required_permissions: ClassVar = {"GET": "orders.read"}
    header_parameters: ClassVar = {"GET": [CONSISTENCY_TOKEN]}

    @extend_schema(operation_id="getOrder", responses={200: shapes.Order})
    def get(self, request: Request, order_id: UUID) -> HttpResponseBase:
        """Show an order as it stands."""
        body = kept_order(principal_of(request).client, order_id).body()
        if body is None:
            raise OrderNotFoundError(f"There is no order {order_id}.")
        return answer_kept(request, body)


class CancelOrderView(APIView):
    """Cancelling an order."""

    required_permissions: ClassVar = {"POST": "orders.write"}

    @extend_schema(operation_id="cancelOrder", request=None, responses={200: shapes.Order, 202: shapes.Order})
    def post(self, request: Request, order_id: UUID) -> Response:
        """Cancel an order: its money goes back and its stock is released, in the background.

        202 while that is under way, 200 when it is done; asking again is harmless.
        """
        shapes.CancelRequest.read(request.data)
        client = principal_of(request).client
        is_under_way = cancel_order(client=client, order_id=order_id, now=clock.now())
        return Response(order_document(client, order_id), status=202 if is_under_way else 200)


def _waited(response: HttpResponse, *, client: str, order_id: UUID, wait_s: int) -> HttpResponse:
    if not wait_while(lambda: _is_pending(order_id), wait_s=wait_s):
        return response
    with primary_only():
        document = order_document(client, order_id)
    headers = {"Location": response["Location"], "Preference-Applied": f"wait={wait_s}"}
    return Answer.of_document(document, status=201, headers=headers).as_response()


def _is_pending(order_id: UUID) -> bool:
    return Order.objects.using("default").filter(pk=order_id, status=OrderStatus.PENDING).exists()
