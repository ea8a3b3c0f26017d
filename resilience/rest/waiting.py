"""`Prefer: wait=N`: hold an answer until something has ended, or N seconds have passed."""

import re
import time
from collections.abc import Callable
from contextlib import ExitStack

from django.http import HttpRequest
from drf_spectacular.utils import OpenApiParameter

from resilience.deadlines import patience_s
from resilience.limits import Bulkhead, BulkheadFull
from resilience.rest.errors import invalid_field

# RFC 7240; other preferences may stand beside it and are ignored.
_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?([^,;\"]*)\"?\s*(?:$|[,;])", re.IGNORECASE)
WAIT_S_MAX = 30
POLL_S = 0.05
# What a request keeps of its deadline to say how things stand.
ANSWER_S = 0.05
# Waiting requests hold a web thread each. Beyond this many in a process the answer comes at once,
# so that waiting can never take the last thread from those who only want to place an order.
WAITERS_MAX = 4

PREFER_WAIT = OpenApiParameter(
    "Prefer",
    str,
    OpenApiParameter.HEADER,
    description="`wait=N` (at most 30): hold the answer until it is settled or N s passed.",
)

_waiters = Bulkhead("waiting requests", WAITERS_MAX)


def preferred_wait_s(request: HttpRequest) -> int:
    """Return how long the client prefers to wait, 0 without the preference; raises InvalidRequest."""
    header = request.META.get("HTTP_PREFER", "")
    found = _WAIT.search(header)
    if found is None:
        return 0
    text = found[1].strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 2 and int(text) <= WAIT_S_MAX):
        raise invalid_field("Prefer", code="invalid", detail=f"Send wait=N with N from 0 to {WAIT_S_MAX}.")
    return int(text)


def wait_while(is_open: Callable[[], bool], *, wait_s: float) -> bool:
    """Wait while `is_open`, at most `wait_s` and within the request's deadline; return whether it did.

    False, at once, when too many requests of this process wait already.
    """
    with ExitStack() as held:
        try:
            held.enter_context(_waiters.permit())
        except BulkheadFull:
            return False
        left_s = patience_s()
        if left_s is not None:
            wait_s = min(wait_s, left_s - ANSWER_S)
        deadline = time.monotonic() + wait_s
        while time.monotonic() < deadline and is_open():
            time.sleep(POLL_S)
    return True
