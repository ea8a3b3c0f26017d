"""How long a value is kept, with jitter, so that what was stored together does not expire together."""

from dataclasses import dataclass

JITTER = 0.1


@dataclass(frozen=True)
class Lifetime:
    """Seconds from the moment of loading; see Envelope. Raises ValueError unless they are in this order."""

    soft_s: float
    grace_s: float
    hard_s: float

    def __post_init__(self) -> None:
        if not 0 < self.soft_s <= self.grace_s <= self.hard_s:
            raise ValueError("a lifetime needs 0 < soft_s <= grace_s <= hard_s")

    def jittered(self, *, chance: float) -> "Lifetime":
        """Return a lifetime up to ±10 % as long; `chance` is uniform in [0, 1]."""
        factor = 1 + JITTER * (2 * chance - 1)
        return Lifetime(self.soft_s * factor, self.grace_s * factor, self.hard_s * factor)
