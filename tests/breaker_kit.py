"""A fleet of breakers with a clock of its own, and reports for tests."""

from random import Random

from resilience.breaker.board import Board
from resilience.breaker.circuit import Circuit
from resilience.breaker.outcomes import CallOutcome
from resilience.breaker.policy import BreakerPolicy
from resilience.breaker.telling import has_proposal, report_of

POLICY = BreakerPolicy(calls_min=4, failures_in_row=6, slow_call_s=1.0)


class Clock:
    """Time that passes when it is told to."""

    def __init__(self, at: float = 1000.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


class Fleet:
    """So many processes on one board. `beat` lets each speak, and again while it wants to move."""

    def __init__(self, processes: int, policy: BreakerPolicy = POLICY) -> None:
        self.clock = Clock()
        self.board = Board()
        self.circuits = [circuit(self.clock, policy, seed=seed) for seed in range(processes)]

    def beat(self, seconds: float = 0.25) -> None:
        self.clock.at += seconds
        for index in range(len(self.circuits)):
            self.speak(index)

    def speak(self, index: int) -> None:
        one = self.circuits[index]
        for _ in range(5):
            report = report_of(one, now=self.clock.at)
            if report is not None:
                one.hear(self.board.exchange(f"p{index}", report, now=self.clock.at), self.clock.at)
            if not has_proposal(one, now=self.clock.at):
                return

    def call(self, index: int, outcome: CallOutcome = CallOutcome.SUCCESS, took_s: float = 0.01) -> None:
        self.circuits[index].enter().done(outcome, took_s)

    def states(self) -> set[str]:
        return {one.footing.fleet.state.value for one in self.circuits}

    def pass_time(self, seconds: float) -> None:
        """Beat until `seconds` have passed."""
        end = self.clock.at + seconds
        while self.clock.at < end:
            self.beat(min(0.25, end - self.clock.at))


def circuit(clock: Clock, policy: BreakerPolicy = POLICY, *, seed: int = 0) -> Circuit:
    return Circuit(name="gateway:one", policy=policy, monotonic=clock, random=Random(seed))


def fail_hard(one: Circuit, times: int) -> None:
    for _ in range(times):
        one.enter().done(CallOutcome.UNREACHABLE, 0.001)
