"""The last snapshot, and what is counted until the next beat: memory that readings and the pulse share."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from resilience import pulse
from resilience.flags.snapshot import SNAPSHOT_SQL, Snapshot, read_snapshot
from resilience.pulse import Member, Query

_PRIMARY = "default"


class FlagMemory(Member):
    """Asks the primary for what operators have set; keeps the last answer for as long as it takes."""

    name = "flags"

    def __init__(self) -> None:
        self.snapshot: Snapshot | None = None

    def question(self, alias: str) -> Query | None:
        """Ask for the snapshot, unless it is the one that is known."""
        if alias != _PRIMARY:
            return None
        return Query(SNAPSHOT_SQL, (self.snapshot.version if self.snapshot else "",))

    def answer(self, alias: str, value: Any, asked_at: float) -> None:
        """Replace the snapshot; no value means that nothing has changed."""
        if value is not None:
            self.snapshot = read_snapshot(value)


_memory = FlagMemory()
pulse.join(_memory)

# One request sees one world, even if an operator turns a switch while it runs.
_pinned: ContextVar[Snapshot | None] = ContextVar("pinned_flags", default=None)


def current() -> Snapshot | None:
    """Return the pinned snapshot, or the last one; None before the first beat with the database."""
    pulse.ensure_running()
    return _pinned.get() or _memory.snapshot


@contextmanager
def pinned(snapshot: Snapshot | None = None) -> Iterator[None]:
    """Let every reading in this block see `snapshot`; None: the one that is the last now."""
    reset = _pinned.set(snapshot or current())
    try:
        yield
    finally:
        _pinned.reset(reset)
