"""The dispatcher's loop: it outlives PostgreSQL and Redis, and never sends what it cannot send."""

import logging
import signal
import threading
from collections.abc import Sequence
from contextlib import suppress
from random import Random
from types import FrameType
from uuid import UUID

import redis
from celery import current_app
from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection
from kombu import Connection, Producer
from kombu.exceptions import OperationalError as BrokerError
from redis.backoff import NoBackoff
from redis.retry import Retry

from resilience.retry import RetryPolicy, wait_s
from resilience.routing import watch
from resilience.saga.dispatch import Counts, run_once
from resilience.saga.tasks import run_sagas
from resilience.signs import give_sign

logger = logging.getLogger(__name__)

QUEUE = "sagas"
# How long an order waits at most to be noticed; halved, an idle dispatcher asks 40 times a second.
IDLE_S = 0.05
# A broker that takes longer is away; sagas lose nothing, they are rung for again.
CONNECT_S_MAX = 2
TROUBLE = RetryPolicy(wait_initial_s=0.2, wait_max_s=2.0)


def serve() -> None:
    """Dispatch until SIGTERM or SIGINT."""
    stopping = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    # So that it follows a promotion, and what hangs on the old primary is cut.
    watch()
    loop(stopping, random=Random())


def loop(stopping: threading.Event, *, random: Random) -> None:
    """Dispatch until `stopping` is set; wait longer, with jitter, while a part is away."""
    troubles = 0
    broker = _Broker()
    while not stopping.is_set():
        try:
            close_old_connections()
            counts = run_once(publish=broker.publish, queued=broker.queued)
        except (DatabaseError, BrokerError, redis.RedisError, OSError) as error:
            troubles += 1
            logger.warning("The dispatcher cannot reach a part it needs.", extra={"error": str(error)})
            with suppress(DatabaseError):
                connection.close()
            broker.forget()
            stopping.wait(wait_s(TROUBLE, attempt=troubles, random=random))
            continue
        troubles = 0
        give_sign("dispatcher")
        if counts == Counts():
            stopping.wait(IDLE_S)


def broker_client() -> redis.Redis:
    """Return a client of the broker that asks once: `loop` is who asks again."""
    return redis.Redis.from_url(
        settings.CELERY_BROKER_URL, socket_connect_timeout=1, socket_timeout=1, retry=Retry(NoBackoff(), 0)
    )


class _Broker:
    """The queue as the dispatcher sees it: how long it is, and a way to add to it."""

    def __init__(self) -> None:
        self._redis = broker_client()
        self._connection: Connection | None = None
        self._producer: Producer | None = None

    def queued(self) -> int:
        """Return how many messages wait unread. Raises redis.RedisError."""
        return int(self._redis.llen(QUEUE))

    def publish(self, ids: Sequence[UUID]) -> None:
        """Send one message. Raises kombu's OperationalError."""
        run_sagas.apply_async(
            args=([str(saga_id) for saga_id in ids],), producer=self._connected(), retry=False
        )

    def forget(self) -> None:
        """Drop connections that may be broken; the next use opens new ones."""
        self._redis.close()
        if self._connection is not None:
            # Closing politely would speak to a broker that may not answer.
            self._connection.collect()
        self._connection = self._producer = None

    def _connected(self) -> Producer:
        if self._producer is None:
            self._connection = current_app.connection_for_write()
            # Once: kombu would try for ever by itself, and hide from us that the broker is away.
            self._connection.ensure_connection(max_retries=1, timeout=CONNECT_S_MAX)
            self._producer = Producer(self._connection.channel(), auto_declare=False)
        return self._producer
