"""Webhook endpoints over HTTP: translate in, make one call, translate out."""

from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from resilience import clock
from resilience.apikeys.authentication import principal_of
from resilience.rest.errors import invalid_field
from resilience.rest.pagination import PARAMETERS, page_of_queryset, read_page
from resilience.rest.query import query_parameters
from resilience.webhooks import endpoints, representations, shapes
from resilience.webhooks.states import DeliveryState

READ = "webhooks.read"
WRITE = "webhooks.write"
_PAGE = [OpenApiParameter("cursor", str), OpenApiParameter("limit", int)]


class EndpointsView(APIView):
    """The webhook endpoints of a client."""

    required_permissions: ClassVar = {"GET": READ, "POST": WRITE}

    @extend_schema(
        operation_id="listWebhookEndpoints", responses={200: shapes.EndpointPage}, parameters=_PAGE
    )
    def get(self, request: Request) -> Response:
        """List your endpoints, newest first."""
        client = principal_of(request).client
        parameters = query_parameters(request, allowed=PARAMETERS)
        wanted = read_page(request, client=client, parameters=parameters)
        rows = endpoints.endpoints_of(client)
        return Response(page_of_queryset(rows, wanted=wanted, represent=representations.endpoint))

    @extend_schema(
        operation_id="createWebhookEndpoint",
        request=shapes.EndpointRequest,
        responses={201: shapes.EndpointWithSecret},
    )
    def post(self, request: Request) -> Response:
        """Create an endpoint. Its secret is shown in this answer only."""
        draft = _draft(shapes.EndpointRequest.read(request.data))
        row = endpoints.create_endpoint(principal_of(request).client, draft, now=clock.now())
        return Response(
            representations.endpoint_with_secret(row),
            status=201,
            headers={"Location": f"{request.path}/{row.pk}"},
        )


class EndpointView(APIView):
    """One webhook endpoint."""

    required_permissions: ClassVar = {"GET": READ, "PATCH": WRITE, "DELETE": WRITE}

    @extend_schema(operation_id="getWebhookEndpoint", responses={200: shapes.EndpointShape})
    def get(self, request: Request, endpoint_id: UUID) -> Response:
        """Show an endpoint."""
        row = endpoints.endpoint_of(principal_of(request).client, endpoint_id)
        return Response(representations.endpoint(row))

    @extend_schema(
        operation_id="changeWebhookEndpoint",
        request=shapes.EndpointChange,
        responses={200: shapes.EndpointShape},
    )
    def patch(self, request: Request, endpoint_id: UUID) -> Response:
        """Change what is sent. `enabled: true` also ends the pause after failures."""
        draft = _draft(shapes.EndpointChange.read(request.data))
        row = endpoints.update_endpoint(principal_of(request).client, endpoint_id, draft, now=clock.now())
        return Response(representations.endpoint(row))

    @extend_schema(operation_id="deleteWebhookEndpoint", responses={204: None})
    def delete(self, request: Request, endpoint_id: UUID) -> Response:
        """Delete an endpoint and the log of its deliveries; what is pending is not sent any more."""
        endpoints.delete_endpoint(principal_of(request).client, endpoint_id, now=clock.now())
        return Response(status=204)


class RotateSecretView(APIView):
    """The secret of an endpoint."""

    required_permissions: ClassVar = {"POST": WRITE}

    @extend_schema(
        operation_id="rotateWebhookSecret", request=None, responses={200: shapes.EndpointWithSecret}
    )
    def post(self, request: Request, endpoint_id: UUID) -> Response:
        """Make a new secret, shown in this answer only. The one before signs too for 24 hours."""
        row = endpoints.rotate_secret(principal_of(request).client, endpoint_id, now=clock.now())
        return Response(representations.endpoint_with_secret(row))


class TestView(APIView):
    """A test of an endpoint."""

    required_permissions: ClassVar = {"POST": WRITE}

    @extend_schema(operation_id="testWebhookEndpoint", request=None, responses={202: shapes.DeliveryShape})
    def post(self, request: Request, endpoint_id: UUID) -> Response:
        """Send a `webhook.test` event to this endpoint; its delivery tells how it went."""
        row = endpoints.send_test(principal_of(request).client, endpoint_id, now=clock.now())
        return Response(representations.delivery(row), status=202)


class DeliveriesView(APIView):
    """The deliveries of an endpoint."""

    required_permissions: ClassVar = {"GET": READ}

    @extend_schema(
        operation_id="listWebhookDeliveries",
        responses={200: shapes.DeliveryPage},
        parameters=[*_PAGE, OpenApiParameter("state", str, enum=[state.value for state in DeliveryState])],
    )
    def get(self, request: Request, endpoint_id: UUID) -> Response:
        """List the deliveries of the last 30 days, newest first."""
        client = principal_of(request).client
        parameters = query_parameters(request, allowed=PARAMETERS | {"state"})
        wanted = read_page(request, client=client, parameters=parameters)
        rows = endpoints.deliveries_of(endpoints.endpoint_of(client, endpoint_id))
        if "state" in parameters:
            rows = rows.filter(state=_state(parameters["state"]))
        return Response(page_of_queryset(rows, wanted=wanted, represent=representations.delivery))


class RedeliverManyView(APIView):
    """The deliveries of an endpoint, once more."""

    required_permissions: ClassVar = {"POST": WRITE}

    @extend_schema(
        operation_id="redeliverWebhooks",
        request=shapes.RedeliveryRequest,
        responses={202: shapes.RedeliveredShape},
    )
    def post(self, request: Request, endpoint_id: UUID) -> Response:
        """Send settled deliveries of a time again, failed ones only by default; a thousand per call.

        While `next_after` is not null there are more: call again with it as `after`.
        """
        asked = shapes.RedeliveryRequest.read(request.data)
        now = clock.now()
        selection = endpoints.Selection(
            since=asked["since"],
            until=asked.get("until", now),
            only_failed=asked.get("only", "failed") == "failed",
            after=asked.get("after"),
        )
        count, next_after = endpoints.redeliver_many(
            principal_of(request).client, endpoint_id, selection, now=now
        )
        return Response({"redelivered": count, "next_after": next_after}, status=202)


class DeliveryView(APIView):
    """One delivery."""

    required_permissions: ClassVar = {"GET": READ}

    @extend_schema(operation_id="getWebhookDelivery", responses={200: shapes.DeliveryWithLog})
    def get(self, request: Request, delivery_id: UUID) -> Response:
        """Show a delivery with its bytes and how each attempt went."""
        row = endpoints.delivery_of(principal_of(request).client, delivery_id)
        return Response(representations.delivery_with_log(row, endpoints.attempts_of(row)))


class RedeliverView(APIView):
    """One delivery, once more."""

    required_permissions: ClassVar = {"POST": WRITE}

    @extend_schema(operation_id="redeliverWebhook", request=None, responses={202: shapes.DeliveryShape})
    def post(self, request: Request, delivery_id: UUID) -> Response:
        """Send a delivery again: the same id, the same bytes."""
        row = endpoints.redeliver(principal_of(request).client, delivery_id, now=clock.now())
        return Response(representations.delivery(row), status=202)


def _draft(asked: dict[str, Any]) -> endpoints.EndpointDraft:
    return endpoints.EndpointDraft(
        url=asked.get("url"),
        description=asked.get("description"),
        types=asked.get("types"),
        is_ordered=None if "ordering" not in asked else asked["ordering"] == "aggregate",
        is_enabled=asked.get("enabled"),
    )


def _state(text: str) -> DeliveryState:
    try:
        return DeliveryState(text)
    except ValueError as error:
        known = ", ".join(DeliveryState)
        raise invalid_field("state", code="invalid_choice", detail=f"Send one of: {known}.") from error
