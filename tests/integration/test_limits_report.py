"""What the fleet limits now, as the dashboard asks for it."""

import json
from collections.abc import Iterator
from random import Random

import pytest
import redis
from django.conf import settings

from resilience import pulse
from resilience.ids import new_id
from resilience.limits import Bulkhead, BulkheadFull, report
from resilience.limits.bucket import Limit
from resilience.limits.report import LATELY_S, ProcessReport, Reports
from resilience.limits.shedder import Mode, Shedder
from resilience.limits.shedding import Tier
from resilience.limits.throttles import Throttles
from tests.processes import wait_until


@pytest.fixture
def shedder(monkeypatch: pytest.MonkeyPatch) -> Shedder:
    fresh = Shedder(mode=Mode.ON, random=Random(1), backlog_s=lambda: 0.0)
    monkeypatch.setattr(report, "shedder", fresh)
    return fresh


@pytest.fixture
def throttles(monkeypatch: pytest.MonkeyPatch) -> Throttles:
    fresh = Throttles()
    monkeypatch.setattr(report, "throttles", fresh)
    return fresh


@pytest.fixture
def broker() -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(settings.PULSE_REDIS_URL)
    client.delete("hf:limits:reports")
    yield client
    client.delete("hf:limits:reports")
    pulse.stop()


def told_by_another(**changes: object) -> ProcessReport:
    facts: dict[str, object] = {
        "process": "another", "mode": "on", "wait_s": 0.4, "backlog_s": 0.0,
        "shed": {"LIST queue": 7}, "throttled": {}, "bulkheads": {},
    }  # fmt: skip
    return ProcessReport(**{**facts, **changes})  # type: ignore[arg-type]


def test_a_quiet_fleet_has_nothing_to_tell(
    shedder: Shedder, throttles: Throttles, broker: redis.Redis
) -> None:
    assert report.reports.fleet() == []
    after = 0.0
    assert pulse.wait_for_turn("redis", after=after, limit_s=10)

    assert broker.exists("hf:limits:reports") == 0


def test_what_this_process_limits_is_told_with_its_cause(
    shedder: Shedder, throttles: Throttles, broker: redis.Redis
) -> None:
    key, bulkhead = new_id(), Bulkhead("test-report", 1)
    shedder.judge(Tier.LIST, waited_s=1.0)
    for _ in range(3):
        throttles.take(key, Limit(0.1, 1))
    with bulkhead.permit(), pytest.raises(BulkheadFull), bulkhead.permit():
        pass

    wait_until(lambda: report.reports.fleet() and broker.exists("hf:limits:reports"))
    [own] = report.reports.fleet()

    assert own.process == pulse.process_name()
    assert own.shed == {"LIST queue": 1}
    assert own.throttled == {str(key): 2}
    assert own.bulkheads["test-report"] == {"in_flight": 0, "permits_max": 1, "refused": 1}


def test_what_others_limit_is_heard_by_whoever_looks(
    shedder: Shedder, throttles: Throttles, broker: redis.Redis
) -> None:
    server_s, micro_s = broker.time()
    at = server_s * 1000 + micro_s // 1000
    broker.hset("hf:limits:reports", "another", f"{at} {json.dumps(vars(told_by_another()))}")
    broker.hset("hf:limits:reports", "dead", f"{at - 6000} {json.dumps(vars(told_by_another()))}")

    wait_until(lambda: report.reports.fleet() == [told_by_another()])

    # A dead one is forgotten, the other one when it says nothing more.
    assert broker.hkeys("hf:limits:reports") == [b"another"]
    wait_until(lambda: report.reports.fleet() == [])


def test_what_is_long_past_is_not_told(shedder: Shedder, throttles: Throttles) -> None:
    at = [0.0]
    told = Reports(monotonic=lambda: at[0])
    shedder.judge(Tier.LIST, waited_s=1.0)
    assert told._own().shed == {"LIST queue": 1}

    for at[0] in (LATELY_S, 2 * LATELY_S):
        quiet = told._own()

    assert quiet.shed == {}
    shedder.judge(Tier.LIST, waited_s=1.0)
    assert told._own().shed == {"LIST queue": 1}
