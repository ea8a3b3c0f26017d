"""Toy addresses that show each promise of the API's foundation by itself."""

import threading
from typing import ClassVar

from django.contrib.auth.models import Group
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from resilience.apikeys.authentication import principal_of
from resilience.apikeys.models import ApiKey
from resilience.errors import Operational, Refusal
from resilience.idempotency import Answer, idempotent
from resilience.rest.fields import Metadata, StrictInteger, StrictString
from resilience.rest.openapi import IDEMPOTENCY_KEY
from resilience.rest.pagination import PARAMETERS, page_of_queryset, read_page
from resilience.rest.query import query_parameters
from resilience.rest.serializers import StrictSerializer

handler400 = "config.error_views.bad_request"
handler403 = "config.error_views.permission_denied"
handler404 = "config.error_views.not_found"
handler500 = "config.error_views.server_error"


class ThingRequest(StrictSerializer):
    """A thing."""

    name = StrictString(max_length=20)
    amount = StrictInteger(min_value=1, required=False)
    metadata = Metadata(required=False)


class ThingsView(APIView):
    """Things, once per key."""

    required_permissions: ClassVar = {"POST": "orders.write", "GET": "orders.read"}
    header_parameters: ClassVar = {"POST": [IDEMPOTENCY_KEY]}

    @extend_schema(request=ThingRequest, responses={201: ThingRequest})
    def post(self, request: Request, number: int = 0) -> HttpResponse:
        """Make a thing."""
        thing = ThingRequest.read(request.data)
        return idempotent(request, perform=lambda: _make(thing["name"], principal_of(request).client, number))

    @extend_schema(responses={200: ThingRequest})
    def get(self, request: Request) -> Response:
        """List API keys, for want of other rows."""
        client = principal_of(request).client
        wanted = read_page(request, client=client, parameters=query_parameters(request, allowed=PARAMETERS))
        return Response(
            page_of_queryset(
                ApiKey.objects.filter(client=client), wanted=wanted, represent=lambda key: key.name
            )
        )


# Lets a test hold an effect open.
hold = threading.Event()
hold.set()
entered = threading.Event()


class OutOfThings(Refusal):
    code = "out_of_things"


class NoSuchThing(Refusal):
    code = "not_found"


class Busy(Operational):
    code = "busy"


REFUSALS = {
    "refused": OutOfThings("There are no more things.", left=0),
    "missing": NoSuchThing("There is no such thing."),
    "busy": Busy("The maker of things is busy.", retry_after_s=2.5),
    "bug": RuntimeError("secret detail"),
    "database": OperationalError("server closed the connection: secret detail"),
}


def _make(name: str, client: str, number: int) -> Answer:
    Group.objects.create(name=f"{client} {name} {number} {Group.objects.count()}")
    entered.set()
    assert hold.wait(10)
    if name in REFUSALS:
        raise REFUSALS[name]
    return Answer.of_document(
        {"name": name, "ü": "€"}, status=201, headers={"Location": f"/api/v1/things/{name}"}
    )


class RaisingView(APIView):
    required_permissions: ClassVar = {"GET": "orders.read"}

    def get(self, request: Request, name: str) -> HttpResponse:
        raise REFUSALS[name]


class UndeclaredView(APIView):
    def get(self, request: Request) -> Response:
        return Response({})


class PartlyDeclaredView(UndeclaredView):
    required_permissions: ClassVar = {"GET": "orders.read"}

    def delete(self, request: Request) -> Response:
        return Response({})


def broken(request: HttpRequest, name: str) -> HttpResponse:
    raise REFUSALS[name]


urlpatterns = [
    path("api/v1/things", ThingsView.as_view()),
    path("api/v1/things/<int:number>", ThingsView.as_view()),
    path("api/v1/raising/<str:name>", RaisingView.as_view()),
    path("api/v1/undeclared", UndeclaredView.as_view()),
    path("api/v1/partly", PartlyDeclaredView.as_view()),
    path("api/v1/broken/<str:name>", broken),
    path("", include("config.urls")),
]
