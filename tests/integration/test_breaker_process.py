"""The breakers of this process on its pulse: forced states, what is written down, and Redis away."""

import time
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from config.problems import problem_of
from config.stack.servers import PRIMARY, REDIS
from resilience import clock, pulse
from resilience.breaker import (
    BreakerPolicy,
    BreakerState,
    CallOutcome,
    CircuitOpen,
    Force,
    breaker,
    declare,
    fleet_standings,
    standings,
)
from resilience.breaker.models import BreakerOverride, BreakerOverrideChange, BreakerTransition
from resilience.breaker.operate import BreakerNotForcedError, ForcedTooLongError, Instruction, force, release
from resilience.breaker.registry import Registry
from tests.breaker_kit import fail_hard
from tests.harness import Harness
from tests.processes import frozen, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def name() -> Iterator[str]:
    yield f"tested:{uuid4().hex[:8]}"
    BreakerOverride.objects.all().delete()
    pulse.stop()


def rejects(name: str) -> bool:
    try:
        breaker(name).enter().done(CallOutcome.SUCCESS, 0.01)
    except CircuitOpen:
        return True
    return False


def instruction(name: str) -> Instruction:
    return Instruction(name, "ann", "the gateway moves", clock.now())


def test_what_a_person_forces_counts_within_a_beat_and_ends_by_itself(name: str) -> None:
    assert not rejects(name)

    force(instruction(name), state=Force.FORCED_OPEN, until=clock.now() + timedelta(seconds=3))
    wait_until(lambda: rejects(name), limit_s=5)
    [standing] = [one for one in standings() if one.name == name]
    assert (standing.forced, standing.forced_by) == (Force.FORCED_OPEN, "ann")
    assert standing.is_reduced

    wait_until(lambda: not rejects(name), limit_s=10)
    assert BreakerOverride.objects.filter(name=name).exists()  # nobody had to tidy up


def test_a_new_breaker_is_born_forced(name: str) -> None:
    breaker("tested:first")
    force(instruction(name), state=Force.FORCED_OPEN, until=clock.now() + timedelta(minutes=1))
    pulse.wait_for_turn("default", after=time.monotonic(), limit_s=5)
    wait_until(lambda: rejects(name), limit_s=5)


def test_the_last_known_forced_state_outlives_the_database(name: str, harness: Harness) -> None:
    force(instruction(name), state=Force.FORCED_OPEN, until=clock.now() + timedelta(seconds=6))
    wait_until(lambda: rejects(name), limit_s=5)
    with frozen(harness.supervisor.pids()[PRIMARY]):
        time.sleep(1.5)  # some beats are missed; there is nothing to wait for
        assert rejects(name)
        wait_until(lambda: not rejects(name), limit_s=10)  # its end needs no database either


def test_each_change_is_kept(name: str) -> None:
    force(instruction(name), state=Force.METRICS_ONLY, until=clock.now() + timedelta(minutes=1))
    release(instruction(name))

    changes = BreakerOverrideChange.objects.filter(name=name).order_by("at", "id")
    assert [(one.action, one.state, one.operator) for one in changes] == [
        ("force", "metrics_only", "ann"),
        ("release", "", "ann"),
    ]
    with pytest.raises(BreakerNotForcedError):
        release(instruction(name))
    assert BreakerOverrideChange.objects.filter(name=name).count() == 2


@pytest.mark.parametrize("lasts", [-timedelta(seconds=1), timedelta(days=8)])
def test_a_forced_state_ends_within_a_week(name: str, lasts: timedelta) -> None:
    with pytest.raises(ForcedTooLongError):
        force(instruction(name), state=Force.FORCED_OPEN, until=clock.now() + lasts)

    assert not BreakerOverride.objects.filter(name=name).exists()
    assert not BreakerOverrideChange.objects.filter(name=name).exists()


def test_the_command_forces_lists_and_releases(name: str) -> None:
    rejects(name)
    pulse.wait_for_turn("redis", after=time.monotonic(), limit_s=5)

    call_command("breaker", "force", name, "--state", "forced_open", "--for", "90s", "--reason", "drill")
    out = StringIO()
    call_command("breaker", "list", stdout=out)
    assert name in out.getvalue()
    assert "forced_open" in out.getvalue()
    call_command("breaker", "release", name, "--reason", "over")
    with pytest.raises(CommandError):
        call_command("breaker", "release", name, "--reason", "again")
    with pytest.raises(CommandError):
        call_command("breaker", "force", name)


def test_its_moves_are_written_down_once(name: str) -> None:
    fail_hard(breaker(name), 5)

    wait_until(lambda: BreakerTransition.objects.filter(breaker=name).exists(), limit_s=5)
    pulse.wait_for_turn("default", after=time.monotonic(), limit_s=5)

    [moved] = BreakerTransition.objects.filter(breaker=name, after="open")
    assert (moved.scope, moved.before, moved.reason) == ("process", "closed", "failures_in_row")
    assert moved.process == pulse.process_name()


def test_a_frozen_redis_costs_no_call_anything_and_the_process_goes_on_by_itself(
    name: str, harness: Harness
) -> None:
    rejects(name)
    wait_until(lambda: breaker(name).footing.heard_at is not None, limit_s=5)
    with frozen(harness.supervisor.pids()[REDIS]):
        durations = []
        frozen_at = time.monotonic()
        while time.monotonic() - frozen_at < 2.5:
            begun_at = time.perf_counter()
            rejects(name)
            durations.append(time.perf_counter() - begun_at)
            time.sleep(0.001)
        assert sorted(durations)[len(durations) // 2] < 0.001
        fail_hard(breaker(name), 5)
        assert rejects(name)
    thawed_at = time.monotonic()
    wait_until(lambda: (breaker(name).footing.heard_at or 0) > thawed_at, limit_s=5)


def test_the_fleet_is_seen_from_outside(name: str) -> None:
    rejects(name)

    wait_until(lambda: any(one.name == name and one.fleet.total for one in fleet_standings()), limit_s=5)

    [seen] = [one for one in fleet_standings() if one.name == name]
    assert seen.state is BreakerState.CLOSED
    assert seen.fleet.reporting_workers == 1


def test_a_client_is_told_when_to_come_back() -> None:
    problem = problem_of(CircuitOpen(breaker="gateway:one", retry_after_s=7.2, reason="failures_in_row"))

    assert problem.status == 503
    assert problem.code == "circuit_open"
    assert problem.headers == {"Retry-After": "8"}


def test_a_kind_has_its_policy() -> None:
    declare("tested-kind", BreakerPolicy(failures_in_row=1))

    fail_hard(breaker("tested-kind:one"), 1)

    assert rejects("tested-kind:one")
    pulse.stop()


def test_of_many_keys_the_quiet_ones_make_room() -> None:
    registry = Registry(hurry=lambda: None, breakers_max=10)
    opened = registry.get("key:0")
    fail_hard(opened, 5)
    under_way = registry.get("key:1").enter()

    for index in range(2, 100):
        registry.get(f"key:{index}")

    assert len(registry.all()) <= 10
    assert registry.get("key:0") is opened
    assert registry.get("key:1").in_flight == 1
    under_way.done(CallOutcome.SUCCESS, 0.1)
    with pytest.raises(ValueError, match="not a breaker's name"):
        registry.get("a name with spaces")
