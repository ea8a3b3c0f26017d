"""How every breaker stands, as data for health, dashboard and operators."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from resilience import clock, pulse
from resilience.breaker.circuit import Circuit
from resilience.breaker.condition import Condition, Figures
from resilience.breaker.forced import Override
from resilience.breaker.process import breaker, registry
from resilience.breaker.report import Report, Verdict
from resilience.breaker.states import BreakerState, Force
from resilience.breaker.wire import NAMES_KEY, SCRIPT, read, written

# Of one look at the fleet from outside; breakers that were not talked about for an hour are left out.
_REDIS_LIMIT_S = 1.0
_SHOWN_MAX = 500
_SHOWN_S = 3600.0


@dataclass(frozen=True)
class Standing:
    """One breaker, as this process sees it. `state` is what calls meet, before what is forced.

    `is_fleet`: it is everybody's state, not only this process's. `retry_after_s`: when a call may be tried,
    None when it may now. `failing`: some of the processes that fail.
    """

    name: str
    state: BreakerState
    is_fleet: bool
    since: datetime | None
    reason: str
    retry_after_s: float | None
    local: Figures | None
    fleet: Figures
    failing: tuple[str, ...]
    in_flight: int
    rejected: int
    late: int
    forced: Force | None
    forced_by: str
    forced_reason: str
    forced_until: datetime | None

    @property
    def is_reduced(self) -> bool:
        """Whether some calls are not made."""
        if self.forced is not None:
            return self.forced is Force.FORCED_OPEN
        return self.state is not BreakerState.CLOSED


def standings() -> list[Standing]:
    """Return every breaker that this process has used, from memory."""
    now, wall = time.monotonic(), clock.now()
    return [_standing(circuit, now, wall) for circuit in sorted(registry.all(), key=lambda one: one.name)]


def standing_of(name: str) -> Standing:
    """Return one breaker, from memory; from the next beat on as the fleet sees it, used here or not."""
    return _standing(breaker(name), time.monotonic(), clock.now())


def fleet_standings() -> list[Standing]:
    """Return every breaker that the fleet talked about within an hour: one question to Redis, for operators.

    Raises redis.RedisError.
    """
    now, wall = time.monotonic(), clock.now()
    client = redis.Redis.from_url(
        settings.PULSE_REDIS_URL,
        socket_timeout=_REDIS_LIMIT_S,
        socket_connect_timeout=_REDIS_LIMIT_S,
        retry=Retry(NoBackoff(), 0),
    )
    with client:
        names = _names(client, wall)
        reports = [Report(name) for name in names]
        verdicts = read(client.eval(SCRIPT, 0, pulse.process_name(), written(reports, is_member=False)))
    return [_seen(name, verdicts[name], now, wall) for name in names]


def _names(client: "redis.Redis", wall: datetime) -> Sequence[str]:
    since_ms = (wall.timestamp() - _SHOWN_S) * 1000
    found = client.zrangebyscore(NAMES_KEY, since_ms, "+inf", start=0, num=_SHOWN_MAX)
    return sorted(name.decode() for name in found)  # type: ignore[union-attr]


def _standing(circuit: Circuit, now: float, wall: datetime) -> Standing:
    with circuit.lock:
        condition = circuit.footing.governing()
        return replace(
            _of_condition(circuit.name, condition, circuit.override, now, wall),
            is_fleet=condition is circuit.footing.fleet,
            local=circuit.tally.figures(now),
            fleet=circuit.footing.fleet_figures,
            failing=circuit.footing.failing,
            in_flight=circuit.in_flight,
            rejected=circuit.rejected,
            late=circuit.late,
        )


def _seen(name: str, verdict: Verdict, now: float, wall: datetime) -> Standing:
    heard = verdict.condition
    condition = replace(heard, since=heard.since + now, until=heard.until + now)
    return replace(
        _of_condition(name, condition, registry.overrides.get(name), now, wall),
        fleet=verdict.figures,
        failing=verdict.failing,
    )


def _of_condition(
    name: str, condition: Condition, override: Override | None, now: float, wall: datetime
) -> Standing:
    forced = override if override and now < override.until else None
    is_open = condition.state is BreakerState.OPEN
    return Standing(
        name=name,
        state=condition.state,
        is_fleet=True,
        since=wall + timedelta(seconds=condition.since - now) if condition.version > 0 else None,
        reason=condition.reason,
        retry_after_s=max(0.0, condition.until - now) if is_open else None,
        local=None,
        fleet=Figures(is_fleet=True),
        failing=(),
        in_flight=0,
        rejected=0,
        late=0,
        forced=forced.force if forced else None,
        forced_by=forced.owner if forced else "",
        forced_reason=forced.reason if forced else "",
        forced_until=wall + timedelta(seconds=forced.until - now) if forced else None,
    )
