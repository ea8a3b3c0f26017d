"""What protects a call in one worker: our breaker, or a peer's in its documented setup, or nothing."""

import time
from collections.abc import Callable
from typing import Protocol

Attempt = Callable[[], None]
"""One call to the dependency. Raises OSError when it fails."""


class Rejected(Exception):
    """The guard did not let the call through."""


class Guard(Protocol):
    """One worker's guard around its calls."""

    def call(self, attempt: Attempt) -> None:
        """Carry it out. Raises Rejected, or what `attempt` raises."""

    def is_open(self) -> bool:
        """Tell whether the guard rejects calls now, by what this worker knows."""


class Ours:
    """`resilience.breaker`, over the pulse."""

    def __init__(self, name: str) -> None:
        from resilience.breaker import breaker

        self._circuit = lambda: breaker(name)
        self._circuit()

    def call(self, attempt: Attempt) -> None:
        from resilience.breaker import CallOutcome, CircuitOpen

        try:
            call = self._circuit().enter(lease_wait_s=0.6)
        except CircuitOpen as error:
            raise Rejected from error
        started_at = time.monotonic()
        try:
            attempt()
        except ConnectionRefusedError:
            call.done(CallOutcome.UNREACHABLE, time.monotonic() - started_at)
            raise
        except OSError:
            call.done(CallOutcome.TRANSPORT, time.monotonic() - started_at)
            raise
        call.done(CallOutcome.SUCCESS, time.monotonic() - started_at)

    def is_open(self) -> bool:
        from resilience.breaker import BreakerState

        return self._circuit().footing.fleet.state is BreakerState.OPEN


class PyBreaker:
    """pybreaker with its Redis storage: five failures in a row, as its README shows it."""

    def __init__(self, name: str) -> None:
        import pybreaker
        import redis
        from django.conf import settings

        client = redis.Redis.from_url(settings.PULSE_REDIS_URL)
        self._breaker = pybreaker.CircuitBreaker(
            fail_max=5,
            reset_timeout=2,
            state_storage=pybreaker.CircuitRedisStorage("closed", client, namespace=name),
        )
        self._open = pybreaker.CircuitBreakerError

    def call(self, attempt: Attempt) -> None:
        try:
            self._breaker.call(attempt)
        except self._open as error:
            if isinstance(error.__context__, OSError):  # the call that opened it did take place
                raise error.__context__ from None
            raise Rejected from error

    def is_open(self) -> bool:
        return str(self._breaker.current_state) == "open"


class Interlock:
    """interlock-cb with its Redis storage and its defaults, but an open wait of 2 s."""

    def __init__(self, name: str) -> None:
        import redis
        from django.conf import settings
        from interlock import CircuitBreaker, CircuitOpenError, Config, State
        from interlock.integrations.redis import RedisStorage

        client = redis.Redis.from_url(settings.PULSE_REDIS_URL)
        self._breaker = CircuitBreaker(
            name=name,
            config=Config(wait_duration_in_open=2.0, auto_transition=True),
            storage=RedisStorage(client),
        )
        self._open, self._state = CircuitOpenError, State.OPEN

    def call(self, attempt: Attempt) -> None:
        try:
            self._breaker.call(attempt)
        except self._open as error:
            raise Rejected from error

    def is_open(self) -> bool:
        return self._breaker.state is self._state


class Unguarded:
    """No breaker at all."""

    def __init__(self, _name: str) -> None:
        pass

    def call(self, attempt: Attempt) -> None:
        attempt()

    def is_open(self) -> bool:
        return False


GUARDS: dict[str, Callable[[str], Guard]] = {
    "ours": Ours,
    "pybreaker": PyBreaker,
    "interlock": Interlock,
    "nothing": Unguarded,
}
