"""What a pass has come to: whole numbers, per currency, so that "all" is said of all only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# A hundredth of a percent, rounded down: one line in a million unexplained is never "100 %".
ALL_BP = 10_000


@dataclass
class Share:
    """Lines and facts of one currency: how many there are and of how much, and what of it is explained."""

    items: int = 0
    explained: int = 0
    amount_minor: int = 0
    explained_minor: int = 0

    @property
    def explained_bp(self) -> int:
        """How much is explained by count, in basis points."""
        return _share_bp(self.explained, self.items)

    @property
    def explained_amount_bp(self) -> int:
        """How much is explained by amount, in basis points; amounts are counted without their sign."""
        return _share_bp(self.explained_minor, self.amount_minor)


@dataclass
class Tally:
    """The counts of one run."""

    lines: int = 0
    matched: int = 0
    booked: int = 0
    under_way: int = 0
    accepted: int = 0
    exceptions: int = 0
    shares: dict[str, Share] = field(default_factory=dict)

    def add(self, currency: str, amount_minor: int, *, explained: bool) -> None:
        """Count a line or a fact."""
        share = self.shares.setdefault(currency, Share())
        share.items += 1
        share.amount_minor += abs(amount_minor)
        if explained:
            share.explained += 1
            share.explained_minor += abs(amount_minor)

    def as_columns(self) -> dict[str, Any]:
        """Return it as the columns of a run; `summary` is a mapping."""
        columns = {name: value for name, value in vars(self).items() if name != "shares"}
        return {**columns, "summary": {currency: vars(share) for currency, share in self.shares.items()}}


def shares_of(summary: Mapping[str, Mapping[str, int]]) -> dict[str, Share]:
    """Return the shares of a run by currency, from its `summary`."""
    return {currency: Share(**share) for currency, share in sorted(summary.items())}


def percent(basis_points: int) -> str:
    """Write basis points as a percentage: `99.99`."""
    return f"{basis_points // 100}.{basis_points % 100:02d}"


def _share_bp(part: int, whole: int) -> int:
    return part * ALL_BP // whole if whole else ALL_BP
