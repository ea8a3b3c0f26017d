"""Retries at one layer only: whoever is asked on behalf of a retry must not retry by itself.

The danger: three layers of three tries each make 27 calls of one, to a part that is down already. Sagas,
`resilience.retry.call` and the dispatcher's loop retry, with jitter and a budget; clients under them do not.
"""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from redis.retry import Retry

from resilience.checks.rules import Rule, broken
from resilience.saga import dispatcher

_OFF = "retry=Retry(NoBackoff(), 0)"


def tries_once(retry: object) -> bool:
    """Tell whether redis-py was told to try once; None is its own default, ten retries in version 8."""
    return isinstance(retry, Retry) and retry.get_retries() == 0


_RULES = (
    Rule(
        id="holdfast.E060",
        holds=lambda: getattr(settings, "CELERY_TASK_PUBLISH_RETRY", True) is False,
        danger="Celery retries publishing by itself: its caller hangs with the broker, and then retries too.",
        remedy="Set CELERY_TASK_PUBLISH_RETRY = False.",
    ),
    Rule(
        id="holdfast.E061",
        holds=lambda: not _transport_options().get("retry_on_timeout"),
        danger="kombu sends a command again that was not answered in time, and may have been carried out.",
        remedy="Leave retry_on_timeout out of CELERY_BROKER_TRANSPORT_OPTIONS.",
    ),
    Rule(
        id="holdfast.E062",
        holds=lambda: tries_once(dispatcher.broker_client().get_retry()),
        danger="The dispatcher's Redis client retries under the dispatcher's own loop.",
        remedy=f"Build it with {_OFF} (resilience/saga/dispatcher.py).",
    ),
)


def _transport_options() -> dict[str, Any]:
    found: dict[str, Any] = getattr(settings, "CELERY_BROKER_TRANSPORT_OPTIONS", {})
    return found


@register
def check_retries(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """Check that clients under a retry try once (holdfast.E060 to E062), caches too (E063)."""
    configured: dict[str, dict[str, Any]] = settings.CACHES
    caches = [
        Error(
            f"The cache {alias!r} may retry a Redis that is away, within each request.",
            hint='Set OPTIONS["CONNECTION_POOL_KWARGS"] = {"retry": Retry(NoBackoff(), 0)}.',
            id="holdfast.E063",
        )
        for alias, cache in configured.items()
        if "redis" in cache["BACKEND"]
        and not tries_once(cache.get("OPTIONS", {}).get("CONNECTION_POOL_KWARGS", {}).get("retry"))
    ]
    return [*broken(_RULES), *caches]
