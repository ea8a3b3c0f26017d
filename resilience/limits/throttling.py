"""Where a request meets its key's limit: a throttle of DRF, and the headers of every answer that counted.

The headers are those of draft-ietf-httpapi-ratelimit-headers-10: `RateLimit-Policy: "key";q=2000;w=2` (2,000
requests in each 2 s) and `RateLimit: "key";r=1499;t=1` (1,499 more now; all of them back in 1 s).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from resilience.apikeys.models import ApiKey
from resilience.limits.bucket import Allowance, Limit
from resilience.limits.errors import TooManyRequests
from resilience.limits.throttles import throttles

if TYPE_CHECKING:  # importing a view imports DRF's default throttle: this module
    from rest_framework.views import APIView

_POLICY = '"key"'
_ALLOWANCE = "_holdfast_allowance"


class ApiKeyThrottle(BaseThrottle):
    """Let a key have what its limit allows."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Let pass, or raise TooManyRequests. Requests without a key are not counted.

        A request counts once, however often it is answered anew (from a cache, then by its view; on the
        replica, then on the primary).
        """
        key = request.auth
        if not isinstance(key, ApiKey):
            return True
        allowance: Allowance | None = getattr(request._request, _ALLOWANCE, None)
        if allowance is None:
            allowance = throttles.take(key.pk, limit_of(key))
            setattr(request._request, _ALLOWANCE, allowance)
        if not allowance.is_allowed:
            raise TooManyRequests(
                per_s=allowance.limit.per_s,
                burst=allowance.limit.burst,
                retry_after_s=allowance.retry_after_s,
            )
        return True


class RateLimitMiddleware:
    """Tell each client of a throttled address what is left."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on, and add the headers to its answer."""
        response = self._get_response(request)
        allowance: Allowance | None = getattr(request, _ALLOWANCE, None)
        if allowance is not None:
            for name, value in rate_limit_headers(allowance).items():
                response[name] = value
        return response


def limit_of(key: ApiKey) -> Limit:
    """Return the key's own limit, or the one of the settings."""
    if key.rate_per_s is None or key.burst is None:
        return _limit(settings.THROTTLE_PER_S, settings.THROTTLE_BURST)
    return _limit(key.rate_per_s, key.burst)


def rate_limit_headers(allowance: Allowance) -> dict[str, str]:
    """Return the headers that say what is allowed and what is left; both count whole seconds, rounded up."""
    limit = allowance.limit
    return {
        "RateLimit-Policy": f"{_POLICY};q={limit.burst};w={max(1, math.ceil(limit.refill_s))}",
        "RateLimit": f"{_POLICY};r={allowance.remaining};t={math.ceil(allowance.full_in_s)}",
    }


# One object for all requests with the same limit.
_limit = lru_cache(maxsize=1000)(Limit)
