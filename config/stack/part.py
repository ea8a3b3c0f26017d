"""A part of the stack, as data: what to run, as whom, and how to tell that it is ready."""

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from config.stack.account import OURSELVES, Account
from config.stack.probes import Probe, always


def _nothing() -> None:
    """Prepare nothing."""


@dataclass(frozen=True)
class Part:
    """One process. Parts of one `name` differ in `copy` and are counted, stopped and listed together."""

    name: str
    command: tuple[str, ...]
    directory: Path
    copy: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    account: Account = OURSELVES
    # Runs before every start, restarts included.
    prepare: Callable[[], None] = _nothing
    is_ready: Probe = always
    ready_limit_s: float = 30.0
    stop_signal: signal.Signals = signal.SIGTERM
    stop_limit_s: float = 10.0
    # What the kernel sends when the supervisor itself dies. A part that stops by itself in any case
    # gets its stop signal; one that would wait for servers that are going away too gets SIGKILL,
    # which it must survive at any line anyway.
    orphan_signal: signal.Signals = signal.SIGKILL

    @property
    def label(self) -> str:
        return self.name if self.copy is None else f"{self.name}-{self.copy}"
