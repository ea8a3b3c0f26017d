"""One request, one world of flags."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from resilience.flags.memory import current, pinned


class PinnedFlagsMiddleware:
    """Let a request see the flags as they were when it came, whatever operators do meanwhile."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on."""
        snapshot = current()
        if snapshot is None:  # nothing is known yet; whatever comes meanwhile is better
            return self._get_response(request)
        with pinned(snapshot):
            return self._get_response(request)
