"""What a test does to the gateway beside Stripe's API: the paths that change the book."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from . import console, disputes, expiry, forgery
from .errors import invalid
from .routes import Route, writing
from .vocabulary import Operation

# Bodies are a few flat fields and metadata; more depth is a mistake.
_DEPTH_MAX = 2

_DISPUTE = writing(Operation.DISPUTE, disputes.open_now)
_CLOSE = writing(Operation.DISPUTE, disputes.close_now)
_CONSOLE = {
    "refund": writing(Operation.CONSOLE, console.refund),
    "capture": writing(Operation.CONSOLE, console.capture),
    "cancel": writing(Operation.CONSOLE, console.cancel),
    "charge": writing(Operation.CONSOLE, console.charge),
    "tamper": writing(Operation.CONSOLE, forgery.tamper),
    "forget": writing(Operation.CONSOLE, forgery.forget),
}
_ON_SUBJECT = {
    "_expire": writing(Operation.EXPIRE, expiry.expire_now),
}


def find_backstage(method: str, parts: list[str]) -> tuple[Route, str] | None:
    """Return the route of a path, given in its parts, and the id in it; None if there is no such."""
    match method, parts:
        case "POST", [name, subject] if name in _ON_SUBJECT:
            return _ON_SUBJECT[name], subject
        case "POST", ["_console", name] if name in _CONSOLE:
            return _CONSOLE[name], ""
        case "POST", ["_dispute"]:
            return _DISPUTE, ""
        case "POST", ["_dispute", subject, "close"]:
            return _CLOSE, subject
    return None


def encode(body: dict[str, Any]) -> str:
    """Return the JSON of a test as the form that the endpoints read."""
    return urlencode(list(_pairs(body)))


def _pairs(body: dict[str, Any], *, prefix: str = "", depth: int = 1) -> Iterator[tuple[str, str]]:
    for key, value in body.items():
        name = f"{prefix}[{key}]" if prefix else key
        if isinstance(value, dict) and depth < _DEPTH_MAX:
            yield from _pairs(value, prefix=name, depth=depth + 1)
        elif isinstance(value, bool):
            yield name, "true" if value else "false"
        elif isinstance(value, str | int):
            yield name, str(value)
        elif value is not None:
            raise invalid(f"Invalid {name[:80]}: must be a text or a whole number", param=name[:80])
