"""What a route does with the bytes it is given, as data."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

LATENCY_MS_MAX = 600_000.0


class BehaviourError(ValueError):
    """The wish cannot be read. The message says what would be right."""


class Mode(StrEnum):
    """What becomes of connections, new ones and open ones."""

    PASS = "pass"  # noqa: S105 - no password
    # Nobody listens: a connection is refused by the kernel. Open ones are reset.
    REFUSE = "refuse"
    # A connection is accepted and reset at once, which lets attempts be counted. Open ones are reset.
    RESET = "reset"
    # Connections are accepted; nothing that is sent arrives, in `stalls` direction. They go on afterwards.
    BLACK_HOLE = "black_hole"


class Stalls(StrEnum):
    """Which way a black hole swallows. TO_CLIENT: requests arrive, answers do not."""

    BOTH = "both"
    TO_SERVER = "to_server"
    TO_CLIENT = "to_client"


@dataclass(frozen=True)
class Behaviour:
    """How a route behaves now.

    `latency_ms` delays each piece in each direction; what is under way when a connection is cut is lost,
    as in a network. `bytes_per_s` bounds each direction of each connection.
    """

    mode: Mode = Mode.PASS
    stalls: Stalls = Stalls.BOTH
    latency_ms: float = 0.0
    bytes_per_s: float | None = None

    def is_stalled(self, direction: Stalls) -> bool:
        """Tell whether bytes in `direction` (TO_SERVER or TO_CLIENT) stand still."""
        return self.mode is Mode.BLACK_HOLE and self.stalls in (Stalls.BOTH, direction)

    def shape(self) -> dict[str, object]:
        """Return it as the control port shows it."""
        return {
            "mode": self.mode.value,
            "stalls": self.stalls.value,
            "latency_ms": self.latency_ms,
            "bytes_per_s": self.bytes_per_s,
        }


def parse_behaviour(wish: Mapping[str, Any]) -> Behaviour:
    """Return the behaviour that a JSON object describes; what it leaves out is as in PASS.

    Raises BehaviourError.
    """
    unknown = sorted(set(wish) - {"mode", "stalls", "latency_ms", "bytes_per_s"})
    if unknown:
        raise BehaviourError(f"Unknown: {', '.join(unknown)}. Known: mode, stalls, latency_ms, bytes_per_s.")
    try:
        mode = Mode(wish.get("mode", Mode.PASS))
        stalls = Stalls(wish.get("stalls", Stalls.BOTH))
    except ValueError as error:
        raise BehaviourError(f"{error}. Modes: {', '.join(Mode)}; stalls: {', '.join(Stalls)}.") from None
    latency_ms = _number(wish, "latency_ms", otherwise=0.0)
    bytes_per_s = _number(wish, "bytes_per_s", otherwise=None)
    if latency_ms is None or not 0 <= latency_ms <= LATENCY_MS_MAX:
        raise BehaviourError(f"latency_ms is a number from 0 to {LATENCY_MS_MAX:.0f}.")
    if bytes_per_s is not None and bytes_per_s <= 0:
        raise BehaviourError("bytes_per_s is a number above 0, or null.")
    return Behaviour(mode=mode, stalls=stalls, latency_ms=latency_ms, bytes_per_s=bytes_per_s)


def _number(wish: Mapping[str, Any], name: str, *, otherwise: float | None) -> float | None:
    value = wish.get(name)
    if value is None:
        return otherwise
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BehaviourError(f"{name} is a number.")
    return float(value)
