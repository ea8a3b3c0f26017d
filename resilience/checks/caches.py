"""Caches: losing Redis costs speed, so waiting for it is bounded; and what is cached says what voids it."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

from resilience.caching import Namespace, declared
from resilience.checks.rules import is_positive
from resilience.events import event_types, subscriptions

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


@register(Tags.caches)
def check_namespaces(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """Check that each kind of cached value says what ends it, and that it is true (holdfast.E013 to E015)."""
    return [problem for namespace in declared() for problem in namespace_problems(namespace)]


def namespace_problems(namespace: Namespace) -> Iterator[CheckMessage]:
    """Yield what is wrong with the declaration of `namespace`."""
    if not namespace.owner or not namespace.keyed_by:
        yield Error(
            f"Nobody owns the cached values {namespace.name!r}, or nothing tells them apart.",
            hint="Give the Namespace an owner and the parts of its key.",
            id="holdfast.E013",
        )
    if not namespace.voided_by and not namespace.not_told:
        yield Error(
            f"Nothing voids the cached values {namespace.name!r}, and nobody says that this is meant.",
            hint="Name the events in voided_by, or in not_told what only time ends.",
            id="holdfast.E014",
        )
    told = {kind.name for kind in event_types()}
    heard = {name for subscription in subscriptions() for name in subscription.types or told}
    if missed := sorted(set(namespace.voided_by) - (told & heard)):
        yield Error(
            f"The cached values {namespace.name!r} are to be voided by {', '.join(missed)}, which nobody"
            " tells or nobody listens to: they would stay as they were.",
            hint="Correct voided_by, or add the events to the subscription that calls void().",
            id="holdfast.E015",
        )
