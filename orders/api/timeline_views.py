"""An order's timeline over HTTP."""

from typing import ClassVar
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from orders.api import shapes
from orders.api.representations import Json
from orders.errors import OrderNotFoundError
from orders.selectors import order_exists
from orders.timeline import timeline
from resilience.apikeys.authentication import principal_of
from resilience.rest.openapi import CONSISTENCY_TOKEN
from resilience.rest.pagination import PARAMETERS, page_of_rows, read_page
from resilience.rest.query import query_parameters
from resilience.rest.timestamps import timestamp
from resilience.routing.scope import primary_only
from resilience.timeline import Entry, Window


class OrderTimelineView(APIView):
    """What happened to an order."""

    required_permissions: ClassVar = {"GET": "orders.read"}
    header_parameters: ClassVar = {"GET": [CONSISTENCY_TOKEN]}

    @extend_schema(
        operation_id="getOrderTimeline",
        responses={200: shapes.TimelinePage},
        parameters=[OpenApiParameter("cursor", str), OpenApiParameter("limit", int)],
    )
    def get(self, request: Request, order_id: UUID) -> Response:
        """Show what happened to an order, the oldest first.

        Steps of its sagas with their attempts and the waits chosen, what was asked of gateways and what
        they answered, events, webhooks, refunds, disputes, ledger entries and what operators did.
        """
        parameters = query_parameters(request, allowed=PARAMETERS)
        client = principal_of(request).client
        wanted = read_page(request, client=client, parameters=parameters)
        window = Window.behind(wanted.after)
        entries = _timeline(client, order_id, window)
        page = page_of_rows(entries, wanted=wanted, represent=_represent, identify=lambda entry: entry.key)
        return Response(page)


def _timeline(client: str, order_id: UUID, window: Window) -> list[Entry]:
    if order_exists(client, order_id):
        return timeline(order_id, window=window)
    # Only the primary may say that there is none, since a replica lags.
    with primary_only():
        if not order_exists(client, order_id):
            raise OrderNotFoundError(f"There is no order {order_id}.")
        return timeline(order_id, window=window)


def _represent(entry: Entry) -> Json:
    return {
        "at": timestamp(entry.at),
        "kind": entry.kind,
        "title": entry.title,
        "details": entry.details,
    }
