"""One HTTP request and what came of it: no retry, no exception, little CPU.

The generator shares two cores with what it measures; httpx would take a third of one at 100 requests/s.
"""

import http.client
import json
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

# As long as a web client waits; the platform's own limits are below it, so that it can say 503 itself.
TIMEOUT_S = 10.0
# gunicorn closes idle connections after 15 s (config/gunicorn.py).
_IDLE_S_MAX = 10.0
# No answer at all: refused, reset, timed out.
NO_ANSWER = 0


@dataclass(frozen=True)
class Reply:
    """What came back. `status` is NO_ANSWER when nothing did."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def document(self) -> Any:
        """Return the JSON of the body, or None."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class Client:
    """Sends requests of any thread over connections that it keeps, the latest used first."""

    def __init__(self, *, url: str, api_key: str, timeout_s: float = TIMEOUT_S) -> None:
        address = urlsplit(url)
        self._host = address.hostname or ""
        self._port = address.port
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._timeout_s = timeout_s
        self._idle: deque[tuple[float, http.client.HTTPConnection]] = deque()

    def send(
        self, method: str, path: str, *, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Send once, and return what came."""
        connection = self._connection()
        sent = {**self._headers, **(headers or {})}
        content = None
        if body is not None:
            content = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        try:
            connection.request(method, path, body=content, headers=sent)
            answer = connection.getresponse()
            reply = Reply(answer.status, answer.read(), dict(answer.getheaders()))
        except (OSError, http.client.HTTPException):
            connection.close()
            return Reply(NO_ANSWER)
        if answer.will_close:
            connection.close()
        else:
            self._idle.append((time.monotonic(), connection))
        return reply

    def _connection(self) -> http.client.HTTPConnection:
        while self._idle:
            try:
                kept_at, connection = self._idle.pop()
            except IndexError:
                break
            if time.monotonic() - kept_at < _IDLE_S_MAX:
                return connection
            connection.close()
        return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)
