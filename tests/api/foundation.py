"""What the tests of the foundation share: a caller with a key, and what a problem must look like."""

import json
from typing import Any

from django.http import HttpResponse
from django.test import Client

from resilience import clock
from resilience.apikeys.keys import issue_key

PERMISSIONS = ("orders.read", "orders.write")


class Caller:
    """A client of the API with a key of its own."""

    def __init__(self, *, client: str = "shop", permissions: tuple[str, ...] = PERMISSIONS) -> None:
        self.key, self.plaintext = issue_key(
            client=client, name="test", permissions=permissions, now=clock.now()
        )
        self._http = Client(raise_request_exception=False)

    def get(self, path: str, **headers: str) -> Any:
        return self._http.get(path, headers=self._headers(headers))

    def post(self, path: str, body: object, **headers: str) -> Any:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        content_type = headers.pop("content_type", "application/json")
        return self._http.post(path, raw, content_type=content_type, headers=self._headers(headers))

    def send(self, method: str, path: str, **headers: str) -> Any:
        return self._http.generic(method, path, headers=self._headers(headers))

    def _headers(self, headers: dict[str, str]) -> dict[str, str]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return {"Authorization": f"Bearer {self.plaintext}", **named}


def assert_problem(answer: HttpResponse, status: int, code: str) -> dict[str, Any]:
    """Assert that the answer is this problem in the documented shape; returns the document."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = json.loads(answer.content)
    assert (answer.status_code, document["code"]) == (status, code), document
    assert document["status"] == status
    assert document["type"] == f"urn:holdfast:problem:{code}"
    assert document["title"]
    assert document["detail"]
    assert answer.headers["X-Request-Id"]
    assert answer.headers["Cache-Control"] == "no-store"
    return document
