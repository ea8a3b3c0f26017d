"""The control port as a caller sees it."""

from collections.abc import Sequence
from typing import Any

import httpx

_TIMEOUT_S = 5.0


class ProxyClient:
    """Changes routes of a running proxy. A call that is refused or not answered raises httpx.HTTPError."""

    def __init__(self, *, url: str) -> None:
        self._url = url

    def routes(self) -> dict[str, dict[str, Any]]:
        """Return every route by its name: behaviour, `open` connections, counts since the proxy started."""
        return {route["name"]: route for route in self._ask("GET", "/routes")["routes"]}

    def behave(self, names: Sequence[str], **behaviour: object) -> None:
        """Let routes behave so: `mode`, `stalls`, `latency_ms`, `bytes_per_s`; none of them: pass."""
        for name in names:
            self._ask("PUT", f"/routes/{name}", behaviour)

    def cut(self, names: Sequence[str]) -> int:
        """Reset what is open; return how many connections that were."""
        return sum(int(self._ask("POST", f"/routes/{name}/cut")["cut"]) for name in names)

    def abandon(self, names: Sequence[str]) -> int:
        """Leave what is open half-open; return how many connections that were."""
        return sum(int(self._ask("POST", f"/routes/{name}/abandon")["abandoned"]) for name in names)

    def heal(self) -> None:
        """Let every route pass."""
        self._ask("DELETE", "/faults")

    def _ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        answer = httpx.request(method, f"{self._url}{path}", json=body, timeout=_TIMEOUT_S)
        return dict(answer.raise_for_status().json())
