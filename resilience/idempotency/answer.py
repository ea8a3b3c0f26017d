"""An answer as it is sent and stored: status, headers and the exact text of the body."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from django.http import HttpResponse

from resilience.rest.rendering import to_json


@dataclass(frozen=True)
class Answer:
    """What a request is answered with, now and whenever it is sent again."""

    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_document(cls, document: object, *, status: int, headers: Mapping[str, str] | None = None) -> Self:
        """Return the JSON answer with this document."""
        return cls(status, to_json(document), {"Content-Type": "application/json", **(headers or {})})

    @classmethod
    def of_response(cls, response: HttpResponse) -> Self:
        """Return the answer that a rendered response is."""
        return cls(response.status_code, response.content.decode(), dict(response.items()))

    def as_response(self) -> HttpResponse:
        """Return the response to send."""
        return HttpResponse(self.body, status=self.status, headers=dict(self.headers))
