"""From an HTTP request to a call: who is asking, and for what."""

import base64
import binascii
import hashlib
import hmac

from aiohttp import web

from .calls import Call
from .errors import ApiError
from .forms import Form, nest, parse_pairs
from .records import new_id
from .settings import Settings
from .vocabulary import Operation


def authenticate(request: web.BaseRequest, *, secret_key: str) -> None:
    """Raise Stripe's 401 unless the request carries the account's secret key."""
    given = _given_key(request.headers.get("Authorization", ""))
    if given is None:
        raise _unauthorized(
            "You did not provide an API key. You need to provide your API key in the Authorization header,"
            " using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
        )
    if not hmac.compare_digest(given.encode(), secret_key.encode()):
        raise _unauthorized(f"Invalid API Key provided: {given[:8]}{'*' * 12}")


def make_call(
    request: web.BaseRequest,
    *,
    operation: Operation,
    subject: str,
    encoded: str,
    received_at: float,
    settings: Settings,
) -> Call:
    """Read the form and the headers. Raises ApiError for a form that cannot be read."""
    pairs = parse_pairs(encoded)
    return Call(
        operation=operation,
        method=request.method,
        path=request.path,
        subject=subject,
        form=nest(pairs) if pairs else {},
        key=request.headers.get("Idempotency-Key") if request.method == "POST" else None,
        body_hash=_hash(pairs),
        request_id=new_id("req"),
        base_url=f"http://{request.host}",
        received_at=received_at,
        now=int(received_at),
        settings=settings,
    )


def token_of(form: Form) -> str | None:
    """Return the test payment method that a form names, if it names one."""
    token = form.get("payment_method")
    return token if isinstance(token, str) else None


def _hash(pairs: list[tuple[str, str]]) -> str:
    """Hash what was asked; the order in which a client lists the parameters does not matter."""
    return hashlib.sha256(repr(sorted(pairs)).encode("utf-8", "replace")).hexdigest()


def _given_key(authorization: str) -> str | None:
    scheme, _, credentials = authorization.partition(" ")
    match scheme.lower():
        case "bearer":
            return credentials.strip() or None
        case "basic":
            try:
                user, _, _ = base64.b64decode(credentials).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return None
            return user or None
    return None


def _unauthorized(message: str) -> ApiError:
    return ApiError(status=401, message=message, headers={"WWW-Authenticate": 'Bearer realm="Stripe"'})
