"""Kills processes of a stack with -9, one every few seconds, from a seed."""

import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from random import Random

from tests.living_stack import LivingStack


@contextmanager
def frozen(stack: LivingStack, kind: str) -> Iterator[None]:
    """Let the processes of `kind` stand still: they take connections and never answer."""
    pids = stack.pids(kind)
    assert pids, f"no {kind} runs"
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@dataclass
class Nemesis:
    """Kills a random process of a random one of `kinds` every `every_s` seconds, until stopped."""

    stack: LivingStack
    kinds: tuple[str, ...]
    every_s: float
    random: Random
    killed: Counter[str] = field(default_factory=Counter)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._kill_again_and_again, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Kill no more."""
        self._stopping.set()
        if self._thread:
            self._thread.join()

    def kill_one(self, kind: str) -> bool:
        """Kill one process of `kind` now; return whether there was one."""
        pids = self.stack.pids(kind)
        if not pids:
            return False
        with suppress(ProcessLookupError):
            os.kill(self.random.choice(pids), signal.SIGKILL)
            self.killed[kind] += 1
            return True
        return False

    def _kill_again_and_again(self) -> None:
        while not self._stopping.wait(self.every_s):
            self.kill_one(self.random.choice(self.kinds))
