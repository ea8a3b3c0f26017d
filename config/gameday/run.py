"""Hold one game day: steady state, fault, recovery, rest, and what came of it."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from config.gameday import afterwards
from config.gameday.client import Client
from config.gameday.errors import GameDayError
from config.gameday.load import Load
from config.gameday.sampler import Sampler
from config.gameday.scenario import Finding, Scenario, Times
from config.gameday.schedule import Stretch
from config.gameday.seen import Capacity, Seen, Window
from config.gameday.stage import PLATFORM, Stage

# How long and how hard the stack is driven to learn its capacity; more threads than it has only queue.
_SATURATE_S = {False: 10.0, True: 5.0}
_SATURATE_THREADS = 16
_WELL_WITHIN_S = 60.0
_SETTLES_WITHIN_S = 60.0
_POLL_S = 0.2
_RESEND_WITHIN_S = 60.0
# Connections and caches of a stack that has just started: not what a fault is compared with.
_WARM_UP_S = 4.0


@dataclass(frozen=True)
class Wish:
    """How a scenario is to be held."""

    rate: float | None
    short: bool
    seed: int = 20261126


@dataclass(frozen=True)
class Outcome:
    """What was seen, and what became of each expectation. `verdict`: pass, missed or fail."""

    scenario: Scenario
    seen: Seen
    findings: Sequence[Finding]
    rate: float

    @property
    def verdict(self) -> str:
        """Say fail when the audit does not pass; missed when it does, but an expectation does not hold."""
        if self.seen.audit.get("verdict") != "pass":
            return "fail"
        return "pass" if all(finding.holds for finding in self.findings) else "missed"


def hold(scenario: Scenario, *, stage: Stage, wish: Wish, say: Callable[[str], None]) -> Outcome:
    """Hold `scenario` on `stage` and return what came of it; the faults are healed however it ends."""
    times = scenario.short if wish.short else scenario.times
    rate = wish.rate or scenario.rate
    told = stage.told
    load = Load(client=Client(url=told["web"]["url"], api_key=told["api_key"]), random=Random(wish.seed))
    _see_it_well(load)
    capacity = None
    if scenario.measures_capacity or scenario.surge is not None:
        capacity = _capacity(load, stage=stage, short=wish.short)
        say(f"Capacity: {capacity.accepted_per_s:.0f} accepted, {capacity.settled_per_s:.0f} settled per s.")
    load = Load(client=load.client, random=load.random)
    rate_in_fault = scenario.surge * capacity.accepted_per_s if scenario.surge and capacity else rate
    seen = _act(scenario, stage=stage, load=load, times=times, rates=(rate, rate_in_fault), say=say)
    seen.capacity = capacity
    say("Waiting until all is at rest.")
    afterwards.complete(
        seen, stage=stage, load=load, resend_within_s=_RESEND_WITHIN_S, settle_s=scenario.settle_s,
        resends=scenario.surge is None,
    )  # fmt: skip
    findings = [expectation.judge(seen) for expectation in scenario.expects]
    return Outcome(scenario=scenario, seen=seen, findings=findings, rate=rate)


def _see_it_well(load: Load) -> None:
    """Wait until orders are accepted: what is ill before the fault tells nothing about it."""
    deadline = time.monotonic() + _WELL_WITHIN_S
    while not load.saturate(threads=4, seconds=1.0):
        if time.monotonic() > deadline:
            raise GameDayError(f"The stack has accepted no order for {_WELL_WITHIN_S:.0f} s: see its logs.")


def _act(
    scenario: Scenario,
    *,
    stage: Stage,
    load: Load,
    times: Times,
    rates: tuple[float, float],
    say: Callable[[str], None],
) -> Seen:
    rate, rate_in_fault = rates
    stretches = [
        Stretch(_WARM_UP_S + times.steady_s, rate),
        Stretch(times.fault_s, rate_in_fault, reads=scenario.surge is None),
        Stretch(times.after_s, rate),
    ]
    before = {kind: Counter(stage.pids(kind)) for kind in PLATFORM}
    load.began_at = time.monotonic()
    began_at = time.time()
    sending = threading.Thread(target=load.run, args=(stretches,), name="load", daemon=True)
    with Sampler(stage=stage, began_at=load.began_at) as sampler, contextlib.ExitStack() as healing:
        healing.callback(load.stop.clear)
        healing.callback(sending.join)
        healing.callback(load.stop.set)
        sending.start()
        say(f"Steady state: {rate:g} orders/s for {times.steady_s:g} s.")
        _sleep_until(load.began_at + _WARM_UP_S + times.steady_s)
        fault = _fault(scenario, stage=stage, load=load, lasts_s=times.fault_s, say=say)
        say(f"Healed after {fault.seconds:.1f} s; {times.after_s:g} s more of load.")
        sending.join()
        after = Window(fault.end_s, time.monotonic() - load.began_at)
        requests = [*load.requests, *sampler.probes]
        seen = Seen(steady=Window(_WARM_UP_S, fault.begin_s), fault=fault, after=after, requests=requests)
        afterwards.wait_for_drain(seen, sampler=sampler, limit_s=scenario.settle_s)
    seen.requests = [*load.requests, *sampler.probes]
    seen.samples = sorted(sampler.samples, key=lambda sample: sample.at_s)
    seen.restarted = {kind: sum((pids - Counter(stage.pids(kind))).values()) for kind, pids in before.items()}
    seen.facts = {"load began at": began_at}
    afterwards.count_calls(seen, stage=stage, began_at=began_at)
    return seen


def _fault(
    scenario: Scenario, *, stage: Stage, load: Load, lasts_s: float, say: Callable[[str], None]
) -> Window:
    begin_s = time.monotonic() - load.began_at
    say(f"Fault: {scenario.title}")
    with scenario.fault(stage):
        _sleep_until(load.began_at + begin_s + lasts_s)
        healing_s = time.monotonic() - load.began_at
    # Healing takes its time where a server has to be rebuilt; the fault lasts until it is asked for.
    return Window(begin_s, healing_s)


def _capacity(load: Load, *, stage: Stage, short: bool) -> Capacity:
    """Drive the stack with as much as it takes, and time until the last of it has settled."""
    seconds = _SATURATE_S[short]
    load.began_at = time.monotonic()
    accepted = load.saturate(threads=_SATURATE_THREADS, seconds=seconds)
    accepted_s = time.monotonic() - load.began_at
    while afterwards.count(stage, afterwards.OPEN_ORDERS) != 0:
        time.sleep(_POLL_S)
        if time.monotonic() - load.began_at > seconds + _SETTLES_WITHIN_S:
            break
    settled_s = time.monotonic() - load.began_at
    return Capacity(accepted_per_s=accepted / accepted_s, settled_per_s=accepted / settled_s)


def _sleep_until(at: float) -> None:
    time.sleep(max(0.0, at - time.monotonic()))
