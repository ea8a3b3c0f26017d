"""One figure of a tool, as the table of docs/benchmarks.md shows it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """`claim` as issue and guide word it; `ours` and `peers` with their units; `holds` None: no target."""

    claim: str
    ours: str
    target: str = ""
    peers: str = ""
    holds: bool | None = None
