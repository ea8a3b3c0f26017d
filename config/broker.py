"""Losing Redis is a lost connection to a Celery worker, and nothing that it dies of.

A task that ends after its connection was lost acknowledges over a channel that is closed. kombu 5.7 meets
that with an AttributeError; a worker lives through connection errors only, and ended with code 1.
"""

from typing import Any

import redis
from kombu.transport.redis import Channel

_parameters_of: Any = Channel._connparams  # type: ignore[attr-defined]


def install() -> None:
    """Let every channel of this process say that it is closed. What stays unacknowledged is a hint."""
    Channel._connparams = _parameters_of_an_open  # type: ignore[attr-defined]


def _parameters_of_an_open(channel: Any, **options: Any) -> Any:
    if channel.connection is None or channel.connection.client is None:
        raise redis.ConnectionError("The channel was closed when its connection was lost.")
    return _parameters_of(channel, **options)
