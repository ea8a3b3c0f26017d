"""The OpenAPI document: what drf-spectacular cannot see, said once for every view.

A view may declare, beside its serializers, `required_permissions = {"POST": "orders.write"}` and
`header_parameters = {"POST": [IDEMPOTENCY_KEY]}`; both become part of the document.
"""

from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.utils import OpenApiParameter
from rest_framework.permissions import AllowAny
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from config.problems import CONTENT_TYPE
from resilience.apikeys.permissions import required_permission
from resilience.rest.deadline_header import DEADLINE
from resilience.rest.serializers import StrictSerializer

_PROBLEMS_ALWAYS = {
    "400": "The request breaks the contract; `errors` names the fields.",
    "401": "The API key is missing or not valid.",
    "403": "The API key lacks the permission.",
    "429": "Too many requests; `Retry-After` says when to go on.",
    "503": "A part of the platform does not answer; `Retry-After` says when to send it again.",
    "504": "The time given by `X-Request-Deadline-Ms` was over before anything was done.",
}
_NOT_FOUND = {"404": "There is nothing of yours with this id."}
_PROBLEMS_OF_WRITES = {
    "409": "Not possible in the present state, or the same request is still running.",
    "413": "The body is larger than 1 MiB.",
    "415": "The body is not `application/json` in UTF-8.",
    "422": "Understood and refused; `code` says why.",
}
_WRITES = {"POST", "PUT", "PATCH", "DELETE"}
_PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457. Match on `code`; `detail` is for people.",
    "required": ["type", "title", "status", "detail", "code", "instance"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "instance": {"type": "string", "format": "uri-reference"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "code", "detail"],
                "properties": {
                    "field": {
                        "type": "string",
                        "description": "JSON pointer into the body, or name of a query parameter or header.",
                    },
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}


class ApiKeyScheme(OpenApiAuthenticationExtension):
    """Describe ApiKeyAuthentication; drf-spectacular finds this class by its target."""

    target_class = "resilience.apikeys.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        """Return the bearer scheme."""
        return {"type": "http", "scheme": "bearer", "bearerFormat": "hf_<prefix>_<secret>"}


class ProblemAwareSchema(AutoSchema):
    """Add to each operation its problems, its headers and the permission that it needs."""

    def get_override_parameters(self) -> list[Any]:
        """Return the headers that the view declares for this method, and the one that all take."""
        declared: dict[str, list[OpenApiParameter]] = getattr(self.view, "header_parameters", {})
        return [*super().get_override_parameters(), *declared.get(self.method, ()), DEADLINE]

    def get_description(self) -> str:  # type: ignore[override]  # drf-spectacular's own signature
        """Return the docstring and the permission needed."""
        needed = required_permission(self.view, self.method)
        described = super().get_description()
        return f"{described}\n\nNeeds the permission `{needed}`." if needed else described

    def get_serializer_name(self, serializer: Serializer[Any], direction: Any) -> str:
        """Return the name of a shape, to which drf-spectacular adds "Request" where it is one."""
        name: str = super().get_serializer_name(serializer, direction)
        return name.removesuffix("Request") if direction == "request" else name

    def _map_basic_serializer(self, serializer: Serializer[Any], direction: Any) -> dict[str, Any]:
        shape: dict[str, Any] = super()._map_basic_serializer(serializer, direction)
        return {**shape, "additionalProperties": False} if isinstance(serializer, StrictSerializer) else shape

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        if direction != "response" or AllowAny in self.view.permission_classes:
            return bodies
        problem = ResolvedComponent("Problem", ResolvedComponent.SCHEMA, _PROBLEM, "Problem")
        self.registry.register_on_missing(problem)
        for status, description in self._problems().items():
            content = {CONTENT_TYPE: {"schema": problem.ref}}
            bodies.setdefault(status, {"description": description, "content": content})
        return bodies

    def _problems(self) -> dict[str, str]:
        return {
            **_PROBLEMS_ALWAYS,
            **(_NOT_FOUND if "{" in self.path else {}),
            **(_PROBLEMS_OF_WRITES if self.method in _WRITES else {}),
        }


class SchemaView(APIView):
    """The OpenAPI 3.1 document of this API."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    schema = None

    def get(self, request: HttpRequest) -> HttpResponse:
        """Return the document; it is made once per process."""
        return HttpResponse(_document(), content_type=OpenApiJsonRenderer.media_type)


@cache
def _document() -> bytes:
    document = SchemaGenerator().get_schema(request=None, public=True)
    rendered: bytes = OpenApiJsonRenderer().render(document)
    return rendered
