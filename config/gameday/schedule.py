"""When each request is due, whatever became of those before it: an open loop. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What is asked for."""

    POST = "POST"
    GET = "GET"


@dataclass(frozen=True)
class Stretch:
    """`rate` orders per second, evenly, for `seconds`; `reads` adds a read of an earlier order to each."""

    seconds: float
    rate: float
    reads: bool = True


@dataclass(frozen=True)
class Due:
    """The `number`-th request of all, due `at_s` after the load began."""

    number: int
    at_s: float
    kind: Kind


def due_requests(stretches: Sequence[Stretch]) -> Iterator[Due]:
    """Yield the requests of all stretches in the order in which they are due."""
    number = 0
    began_s = 0.0
    for stretch in stretches:
        for position in range(int(stretch.seconds * stretch.rate)):
            at_s = began_s + position / stretch.rate
            yield Due(number, at_s, Kind.POST)
            number += 1
            if stretch.reads:
                yield Due(number, at_s + 0.5 / stretch.rate, Kind.GET)
                number += 1
        began_s += stretch.seconds
