"""Keep the parts of the stack running: start one after another, restart what ends, stop in order.

Single-threaded, driven by `tick`; nothing happens between two calls of it. Waiting for a part to get
ready ticks too, so that a part that dies meanwhile is restarted.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from random import Random

from config.stack import logs
from config.stack.child import Child, launch
from config.stack.errors import StackError
from config.stack.part import Part
from resilience.retry import RetryPolicy, wait_s

# The cap bounds how long a repaired part stays away; the base lets a single crash heal unnoticed.
_RESTARTS = RetryPolicy(wait_initial_s=0.1, wait_max_s=10.0)
# A process that lived this long has recovered: its next restart is a first one again. Longer would
# make a game day, which kills each part every few seconds, wait as for a crash loop.
_HEALTHY_AFTER_S = 5.0
# A part that ends this often before it was ever ready is misconfigured.
_FAILED_STARTS_MAX = 5
_PAUSE_S = 0.05


class Standing(StrEnum):
    """What is wanted of a part. DOWN lasts until `resume`; FENCED until `lift`, after a rebuild."""

    UP = "up"
    DOWN = "down"
    FENCED = "fenced"


class UnknownPartError(StackError):
    """No part has this name or label."""


class FencedError(StackError):
    """The part must not run as what it was."""


@dataclass
class _Supervised:
    part: Part
    child: Child
    started_at: float
    failures: int = 0
    restart_at: float | None = None
    standing: Standing = Standing.UP
    # When a part that was asked to stop has had its time; None: it was not asked, or has ended.
    stop_by: float | None = None


class Supervisor:
    """Owns the processes. Use it from the main thread only (see `child`)."""

    def __init__(
        self,
        *,
        logs: Path,
        random: Random,
        checkpoint: Callable[[], None],
        progress: Callable[[str], None],
        report: Callable[[str], None],
    ) -> None:
        """`checkpoint` is called while waiting, and raises to give up; `progress` hears of each part
        that is ready, `report` of each that ended.
        """
        logs.mkdir(parents=True, exist_ok=True)
        self.restarts: dict[str, int] = defaultdict(int)
        self._logs = logs
        self._random = random
        self._checkpoint = checkpoint
        self._progress = progress
        self._report = report
        self._supervised: list[_Supervised] = []

    def start(self, *parts: Part) -> None:
        """Start parts together and return when all are ready.

        Raises StackError with the end of its log when a part does not get ready.
        """
        for part in parts:
            self._supervised.append(self._launch(part))
        for supervised in self._supervised[-len(parts) :]:
            self._wait_until_ready(supervised)

    def tick(self) -> None:
        """Note what ended, and restart what is due."""
        now = time.monotonic()
        for supervised in self._supervised:
            if supervised.standing is not Standing.UP:
                self._see_it_down(supervised, now=now)
                continue
            if supervised.restart_at is None and supervised.child.exit_code is not None:
                self._note_end(supervised, now=now)
            if supervised.restart_at is not None and supervised.restart_at <= now:
                self._restart(supervised, now=now)

    def halt(self, which: str, *, at_once: bool = False) -> None:
        """Ask parts to stop, or kill them, and keep them down until `resume`. Returns before they ended."""
        for supervised in self._named(which):
            if supervised.standing is Standing.UP:
                supervised.standing = Standing.DOWN
                supervised.restart_at = None
                supervised.stop_by = time.monotonic()
                if not at_once:
                    supervised.child.ask_to_stop()
                    supervised.stop_by += supervised.part.stop_limit_s

    def resume(self, which: str) -> None:
        """Start parts again that were halted; one that is fenced raises FencedError, and none starts."""
        found = self._named(which)
        for supervised in found:
            if supervised.standing is Standing.FENCED:
                raise FencedError(f"{supervised.part.label} is fenced: only a rebuild may start it again.")
        for supervised in found:
            self._let_run(supervised)

    def fence(self, which: str) -> None:
        """Kill parts, see them end, and never start them again before `lift`."""
        for supervised in self._named(which):
            if supervised.standing is Standing.FENCED:
                continue
            supervised.standing = Standing.FENCED
            supervised.restart_at = None
            supervised.stop_by = None
            supervised.child.kill_what_is_left()
            self._report(f"{supervised.part.label} is fenced.")

    def lift(self, which: str) -> None:
        """Start fenced parts, which their owner has made harmless; return when they are ready."""
        for supervised in self._named(which):
            self._let_run(supervised)
            self._wait_until_ready(supervised)

    def standings(self) -> dict[str, Standing]:
        """Return what is wanted of each part, by label."""
        return {one.part.label: one.standing for one in self._supervised}

    def bound_logs(self) -> None:
        for log in self._logs.glob("*.log"):
            logs.bound_log(log)

    def pids(self) -> dict[str, list[int]]:
        """Return the processes that run now, by part name."""
        found: dict[str, list[int]] = {}
        for supervised in self._supervised:
            found.setdefault(supervised.part.name, []).extend(supervised.child.pids())
        return found

    def stop(self, order: Sequence[str]) -> None:
        """Stop the named parts one name after another, then whatever is left, last started first."""
        names = [supervised.part.name for supervised in reversed(self._supervised)]
        for name in dict.fromkeys([*order, *names]):
            going = [one for one in self._supervised if one.part.name == name]
            for supervised in going:
                supervised.child.ask_to_stop()
            for supervised in going:
                if not supervised.child.wait(supervised.part.stop_limit_s):
                    self._report(f"{supervised.part.label} did not stop in time and was killed.")
                supervised.child.kill_what_is_left()
            self._supervised = [one for one in self._supervised if one.part.name != name]

    def _named(self, which: str) -> list[_Supervised]:
        found = [one for one in self._supervised if which in (one.part.name, one.part.label)]
        if not found:
            known = ", ".join(one.part.label for one in self._supervised)
            raise UnknownPartError(f"There is no part {which}. There are: {known}.")
        return found

    def _see_it_down(self, supervised: _Supervised, *, now: float) -> None:
        if supervised.stop_by is None:
            return
        if supervised.child.exit_code is not None or now >= supervised.stop_by:
            supervised.child.kill_what_is_left()
            supervised.stop_by = None
            self._report(f"{supervised.part.label} is down, and is kept down.")

    def _let_run(self, supervised: _Supervised) -> None:
        if supervised.standing is Standing.UP:
            return
        if supervised.stop_by is not None:
            supervised.child.kill_what_is_left()
        supervised.standing = Standing.UP
        supervised.stop_by = None
        supervised.failures = 0
        self._restart(supervised, now=time.monotonic())

    def _launch(self, part: Part) -> _Supervised:
        part.prepare()
        log = self._log(part)
        logs.bound_log(log)
        return _Supervised(part=part, child=launch(part, log=log), started_at=time.monotonic())

    def _wait_until_ready(self, supervised: _Supervised) -> None:
        part = supervised.part
        deadline = time.monotonic() + part.ready_limit_s
        while supervised.restart_at is not None or not part.is_ready():
            if time.monotonic() > deadline or supervised.failures >= _FAILED_STARTS_MAX:
                log = self._log(part)
                raise StackError(
                    f"{part.label} does not get ready. The end of {log}:\n{logs.tail(log, lines=15)}"
                )
            self._checkpoint()
            time.sleep(_PAUSE_S)
            self.tick()
        self._progress(part.label)

    def _note_end(self, supervised: _Supervised, *, now: float) -> None:
        supervised.child.kill_what_is_left()
        if now - supervised.started_at > _HEALTHY_AFTER_S:
            supervised.failures = 0
        self._schedule_restart(supervised, why=f"ended with code {supervised.child.exit_code}", now=now)

    def _schedule_restart(self, supervised: _Supervised, *, why: str, now: float) -> None:
        supervised.failures += 1
        pause_s = wait_s(_RESTARTS, attempt=supervised.failures, random=self._random)
        supervised.restart_at = now + pause_s
        self._report(f"{supervised.part.label} {why}; starting it again in {pause_s:.1f} s.")

    def _restart(self, supervised: _Supervised, *, now: float) -> None:
        try:
            again = self._launch(supervised.part)
        except OSError as error:
            # Out of memory or of processes, say: no reason to take the other parts down.
            self._schedule_restart(supervised, why=f"cannot be started ({error})", now=now)
            return
        supervised.child = again.child
        supervised.started_at = again.started_at
        supervised.restart_at = None
        self.restarts[supervised.part.name] += 1

    def _log(self, part: Part) -> Path:
        return self._logs / f"{part.label}.log"
