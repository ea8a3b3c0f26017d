"""For tests of both sides of a flag."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from resilience.flags import memory
from resilience.flags.declaration import Declaration, Flag, Switch
from resilience.flags.snapshot import NOTHING_SET, FlagRow


@contextmanager
def held(declaration: Declaration, *, on: bool) -> Iterator[None]:
    """Let `declaration` be on or off for everybody, in this context only; the others have their defaults."""
    snapshot = memory.current() or NOTHING_SET
    match declaration:
        case Switch(name=name):
            snapshot = replace(snapshot, version="held", switches={**snapshot.switches, name: on})
        case Flag(name=name):
            row = FlagRow(everyone=on, version="held")
            snapshot = replace(snapshot, version="held", flags={**snapshot.flags, name: row})
        case _:
            per_mille = 1000 if on else 0
            samples = {**snapshot.samples, declaration.name: per_mille}
            snapshot = replace(snapshot, version="held", samples=samples)
    with memory.pinned(snapshot):
        yield
