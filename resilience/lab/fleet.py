"""A dependency dies: how many calls of a fleet still reach it, and when is the last worker protected?

Our workers are the breaker's own: each has a `Circuit`, tells the fleet's `Board` at its beats, at once where
there is news, and hears back, all by one simulated clock. Two other designs stand beside it, as plain counts.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random

from resilience.breaker.board import Board
from resilience.breaker.circuit import Circuit
from resilience.breaker.errors import CircuitOpen
from resilience.breaker.outcomes import CallOutcome
from resilience.breaker.policy import BreakerPolicy
from resilience.breaker.states import BreakerState
from resilience.breaker.telling import has_proposal, report_of

# The pulse's, and how much of it chance adds or takes.
BEAT_S = 0.25
BEAT_JITTER = 0.1
# However much there is to tell, beats are this far apart.
BEAT_S_MIN = 0.02
# Where a state is shared and counts are not, workers look for it this often (interlock's default).
SHARED_POLL_S = 1.0
# Whoever is not protected by now is said not to be.
LIMIT_S = 120.0

_NAME = "dependency"

# How the worker of this number fares with a call at this moment.
Answer = Callable[[int, float], CallOutcome]


@dataclass(frozen=True)
class Fleet:
    """Workers that call one dependency at random, each at the same rate."""

    workers: int
    calls_per_s: float


@dataclass(frozen=True)
class Protection:
    """What it took from the death on. `open_s` None: some worker was not protected within the limit."""

    calls: int
    open_s: float | None


@dataclass(frozen=True)
class Watch:
    """What a fleet did in a while with a dependency that answers only some of its workers."""

    failed_calls: int
    refused_to_others: int
    fleet_opened: bool


class Simulation:
    """Real circuits and a real board, moved by one clock that only `until` turns on."""

    def __init__(
        self,
        fleet: Fleet,
        *,
        answer: Answer,
        policy: BreakerPolicy,
        random: Random,
        is_redis_there: bool = True,
    ) -> None:
        self.now_s = 0.0
        self._fleet = fleet
        self._answer = answer
        self._random = random
        self._board = Board() if is_redis_there else None
        self.circuits = [
            Circuit(
                name=_NAME,
                policy=policy,
                monotonic=lambda: self.now_s,
                random=random,
                hurry=partial(self._hurry, worker),
            )
            for worker in range(fleet.workers)
        ]
        self.failed_calls = 0
        self.refused = [0] * fleet.workers
        self._beaten_s = [-BEAT_S] * fleet.workers
        self._beat_due_s = [random.uniform(0.0, BEAT_S) for _ in range(fleet.workers)]
        # (when, who, whether it is a beat); a beat that is not due then was hurried, and is passed over.
        self._moments = [(self._pause_s(), worker, False) for worker in range(fleet.workers)]
        self._moments += [(due_s, worker, True) for worker, due_s in enumerate(self._beat_due_s)]
        heapq.heapify(self._moments)

    def until(self, end_s: float, *, is_over: Callable[[int], bool] = lambda _worker: False) -> bool:
        """Go on to `end_s`, or until a worker's moment after which `is_over`; return whether it was."""
        while self._moments[0][0] < end_s:
            self.now_s, worker, is_beat = heapq.heappop(self._moments)
            if not is_beat:
                self._call(worker)
                heapq.heappush(self._moments, (self.now_s + self._pause_s(), worker, False))
            elif self.now_s == self._beat_due_s[worker]:
                self._beat(worker)
            if is_over(worker):
                return True
        self.now_s = end_s
        return False

    def _call(self, worker: int) -> None:
        try:
            call = self.circuits[worker].enter()
        except CircuitOpen:
            self.refused[worker] += 1
            return
        outcome = self._answer(worker, self.now_s)
        self.failed_calls += outcome is not CallOutcome.SUCCESS
        call.done(outcome, 0.0)

    def _beat(self, worker: int) -> None:
        self._beaten_s[worker] = self.now_s
        interval_s = BEAT_S * self._random.uniform(1.0 - BEAT_JITTER, 1.0 + BEAT_JITTER)
        self._beat_at(worker, self.now_s + interval_s)
        circuit = self.circuits[worker]
        if self._board is None:
            circuit.go_alone(self.now_s)
            return
        report = report_of(circuit, now=self.now_s)
        if report is None:
            return
        circuit.hear(self._board.exchange(f"worker-{worker}", report, now=self.now_s), self.now_s)
        if has_proposal(circuit, now=self.now_s):
            self._hurry(worker)

    def _hurry(self, worker: int) -> None:
        soon_s = max(self.now_s, self._beaten_s[worker] + BEAT_S_MIN)
        if soon_s < self._beat_due_s[worker]:
            self._beat_at(worker, soon_s)

    def _beat_at(self, worker: int, due_s: float) -> None:
        self._beat_due_s[worker] = due_s
        heapq.heappush(self._moments, (due_s, worker, True))

    def _pause_s(self) -> float:
        return self._random.expovariate(self._fleet.calls_per_s)


def protect(
    fleet: Fleet,
    *,
    death: CallOutcome,
    healthy_s: float,
    policy: BreakerPolicy,
    random: Random,
    is_redis_there: bool = True,
) -> Protection:
    """Let all be well for `healthy_s`, then every call end in `death`; return what ours let through."""

    def answer(_worker: int, at_s: float) -> CallOutcome:
        return CallOutcome.SUCCESS if at_s < healthy_s else death

    simulation = Simulation(fleet, answer=answer, policy=policy, random=random, is_redis_there=is_redis_there)
    simulation.until(healthy_s)
    waiting = set(range(fleet.workers))

    def was_last(worker: int) -> bool:
        if simulation.circuits[worker].footing.governing().state is not BreakerState.CLOSED:
            waiting.discard(worker)
        return not waiting

    is_open = simulation.until(healthy_s + LIMIT_S, is_over=was_last)
    return Protection(simulation.failed_calls, simulation.now_s - healthy_s if is_open else None)


def protect_each_alone(fleet: Fleet, *, calls_min: int, random: Random) -> Protection:
    """Each worker counts to `calls_min` for itself, as pybreaker, resilience4j and most others do."""
    opened_s = [_reached_s(fleet, calls_min, random) for _ in range(fleet.workers)]
    return Protection(fleet.workers * calls_min, max(opened_s))


def protect_by_shared_state(fleet: Fleet, *, calls_min: int, random: Random) -> Protection:
    """Each counts for itself; who opens first tells, and the others look once a second (as in interlock)."""
    calls = [_moments_s(fleet, calls_min, random) for _ in range(fleet.workers)]
    first_s = min(moments[-1] for moments in calls)
    heard_s = [min(moments[-1], first_s + random.uniform(0.0, SHARED_POLL_S)) for moments in calls]
    reached = sum(
        sum(moment <= until_s for moment in moments) for moments, until_s in zip(calls, heard_s, strict=True)
    )
    return Protection(reached, max(heard_s))


def watch_one_broken_worker(fleet: Fleet, *, for_s: float, policy: BreakerPolicy, random: Random) -> Watch:
    """Let every call of the first worker fail, and those of the others succeed."""

    def answer(worker: int, _at_s: float) -> CallOutcome:
        return CallOutcome.SERVER_FAULT if worker == 0 else CallOutcome.SUCCESS

    simulation = Simulation(fleet, answer=answer, policy=policy, random=random)

    def has_heard_it(worker: int) -> bool:
        return simulation.circuits[worker].footing.fleet.state is not BreakerState.CLOSED

    fleet_opened = simulation.until(for_s, is_over=has_heard_it)
    return Watch(simulation.failed_calls, sum(simulation.refused[1:]), fleet_opened)


def _moments_s(fleet: Fleet, calls: int, random: Random) -> list[float]:
    moments, now_s = [], 0.0
    for _ in range(calls):
        now_s += random.expovariate(fleet.calls_per_s)
        moments.append(now_s)
    return moments


def _reached_s(fleet: Fleet, calls: int, random: Random) -> float:
    return _moments_s(fleet, calls, random)[-1]
