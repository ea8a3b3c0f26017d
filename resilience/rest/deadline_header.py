"""`X-Request-Deadline-Ms`: how long a client goes on waiting, from when it sent the request."""

from drf_spectacular.utils import OpenApiParameter

from resilience.rest.errors import InvalidRequest, invalid_field

HEADER = "X-Request-Deadline-Ms"
# No request is waited for longer: the server's own limit for a stuck worker (config/gunicorn.py).
DEADLINE_MS_MAX = 60_000
_DIGITS_MAX = 9

DEADLINE = OpenApiParameter(
    HEADER,
    int,
    OpenApiParameter.HEADER,
    description="Remaining milliseconds (at most 60000) that you wait: what is not done by then is not done.",
)


def read_deadline_s(value: str) -> float:
    """Return the seconds that a request's header gives, at most a minute. Raises InvalidRequest."""
    text = value.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX):
        raise _invalid()
    return min(int(text), DEADLINE_MS_MAX) / 1000.0


def _invalid() -> InvalidRequest:
    return invalid_field(HEADER, code="invalid", detail="Send the remaining milliseconds as an integer.")
