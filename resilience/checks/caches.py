"""Caches: losing Redis costs speed, so waiting for it is bounded."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

from resilience.checks.rules import is_positive

_TIMEOUTS = ("SOCKET_CONNECT_TIMEOUT", "SOCKET_TIMEOUT")


@register(Tags.caches)
def check_caches(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """Check that no Redis cache is waited for without limit (holdfast.E010)."""
    configured: dict[str, dict[str, Any]] = settings.CACHES
    return [
        Error(
            f"The cache {alias!r} waits for Redis without limit: a request hangs when Redis does.",
            hint=f"Set {' and '.join(_TIMEOUTS)} in its OPTIONS.",
            id="holdfast.E010",
        )
        for alias, cache in configured.items()
        if "redis" in cache["BACKEND"]
        and not all(is_positive(cache.get("OPTIONS", {}).get(timeout)) for timeout in _TIMEOUTS)
    ]
