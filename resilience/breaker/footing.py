"""Where a process stands with one dependency: the fleet's condition as last heard, and its own.

The danger: a fleet whose memory was lost counts for nothing, and everybody calls what is dead. So what is
heard is weighed against what is known, and a process that hears nothing goes on from where it stood.
"""

from collections import deque
from dataclasses import replace
from random import Random

from resilience.breaker.condition import Condition, Figures, following
from resilience.breaker.policy import BreakerPolicy
from resilience.breaker.report import Move, Verdict
from resilience.breaker.states import BreakerState
from resilience.breaker.tally import Tally

# Moves that nobody has taken note of yet; a breaker moves some twenty times a minute at the most.
MOVES_MAX = 50
STOPPED = frozenset({BreakerState.OPEN, BreakerState.HALF_OPEN})


class Footing:
    """Not thread-safe: its owner holds a lock. While the fleet stops calls, the own condition rests.

    `version_heard` is the newest of the fleet's; `forgotten_from` where the fleet has gone back to, if it
    has. `epoch` grows with each move after which earlier calls say nothing.
    """

    def __init__(self, policy: BreakerPolicy, tally: Tally, random: Random) -> None:
        self._policy = policy
        self._tally = tally
        self._random = random
        self.fleet, self.own = Condition(), Condition()
        self.fleet_figures = Figures(is_fleet=True)
        self.failing: tuple[str, ...] = ()
        self.version_heard = 0
        self.forgotten_from: int | None = None
        self.epoch = 0
        self.heard_at: float | None = None
        self._is_alone = False
        self._moves: deque[Move] = deque(maxlen=MOVES_MAX)

    def governing(self) -> Condition:
        """Return the condition that decides: the fleet's, unless only this process is concerned."""
        return self.fleet if self.fleet.state is not BreakerState.CLOSED else self.own

    @property
    def is_closed(self) -> bool:
        """Whether every call passes."""
        return self.fleet.state is self.own.state is BreakerState.CLOSED

    def judge(self, now: float) -> None:
        """Move the own condition on, while it is this process's to decide."""
        if self.fleet.state in STOPPED:
            return
        figures = self._tally.figures(now)
        moved = following(self._policy, self.own, figures, now=now, random=self._random)
        if moved is not None:
            self._moves.append(Move(self.own.state, moved.state, moved.reason, now, figures))
            self.own = moved
            self._begin_anew(moved.state)

    def hear(self, verdict: Verdict, now: float) -> None:
        """Take what the fleet knows. What it has forgotten (Redis was wiped), this process knows still."""
        self.heard_at = now
        self.failing = verdict.failing
        figures, self.fleet_figures = self.fleet_figures, verdict.figures
        told = verdict.condition
        heard = replace(told, since=told.since + now, until=told.until + now)
        kept = self.own if self._is_alone else self.fleet
        self.forgotten_from = None
        if heard.version < self.version_heard and kept.state is not BreakerState.CLOSED:
            self.forgotten_from = heard.version
            return
        before = self.fleet.state
        self._is_alone = False
        self._take_over(heard)
        if verdict.is_moved and before is not heard.state:
            self._moves.append(Move(before, heard.state, heard.reason, now, figures))

    def go_alone(self, now: float) -> None:
        """Go on by oneself, from where the fleet stood when it was heard last."""
        if self.fleet.state is not BreakerState.CLOSED:
            self.own, self.fleet = self.fleet, Condition(version=-1)
            self._is_alone = True
            self._tally.begin_anew()
        self._tally.take_untold()
        self.judge(now)

    def take_moves(self) -> list[Move]:
        """Return the moves since the last time: the own ones, and those that this process made for all."""
        moves = list(self._moves)
        self._moves.clear()
        return moves

    def _take_over(self, condition: Condition) -> None:
        self.version_heard = condition.version
        if condition.version == self.fleet.version:
            return
        self.fleet = condition
        if condition.state is not BreakerState.CLOSED:
            self.own = Condition(version=self.own.version + 1)
        self._begin_anew(condition.state)
        # The fleet counts anew too.
        self._tally.take_untold()

    def _begin_anew(self, state: BreakerState) -> None:
        """Let nothing that began before a move count after it."""
        if state is not BreakerState.CLOSED:
            self.epoch += 1
            self._tally.begin_anew()
