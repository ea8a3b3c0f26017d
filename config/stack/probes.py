"""Is this part ready? Each probe answers at once or within a second."""

import http.client
from collections.abc import Callable

import psycopg
import redis
from celery import Celery
from kombu.exceptions import OperationalError
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.stack.ports import LOOPBACK

PROBE_LIMIT_S = 1

Probe = Callable[[], bool]


def postgres_answers(url: str) -> Probe:
    def probe() -> bool:
        try:
            with psycopg.connect(url, connect_timeout=PROBE_LIMIT_S) as connection:
                connection.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    return probe


def redis_answers(url: str) -> Probe:
    def probe() -> bool:
        # Without `retry`, redis-py tries for three seconds.
        client = redis.Redis.from_url(url, socket_timeout=PROBE_LIMIT_S, retry=Retry(NoBackoff(), 0))
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()

    return probe


def http_answers(port: int, path: str) -> Probe:
    """Ready when GET `path` answers 200."""

    def probe() -> bool:
        connection = http.client.HTTPConnection(LOOPBACK, port, timeout=PROBE_LIMIT_S)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return probe


def celery_answers(broker_url: str, node: str) -> Probe:
    """Ready when the worker named `node` answers a ping through the broker."""
    app = Celery(broker=broker_url)

    def probe() -> bool:
        try:
            return bool(app.control.ping(destination=[node], timeout=PROBE_LIMIT_S))
        except (OperationalError, redis.RedisError):
            return False

    return probe


def always() -> bool:
    """Of a part that serves nobody: it is ready when it runs."""
    return True
