"""Cohorts as a table of heat: who came again, how many months after the first order. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from config.dashboard.business.found import Found
from config.dashboard.business.written import written

# Shades between none and the most; more could not be told apart.
LEVELS = 5
# A later month has its column until here; three years are the longest that a report can be asked for, but a
# first order may lie before them.
_MONTHS_MAX = 36


@dataclass(frozen=True)
class Spot:
    """`text` is how many customers, `share` of those of month 0 or ""; `level` 0 (none) to LEVELS."""

    text: str
    share: str
    level: int


@dataclass(frozen=True)
class Heat:
    """A line for each cohort: its name, and a spot for each of `months` (later than the first order)."""

    months: Sequence[int]
    lines: Sequence[tuple[str, Sequence[Spot]]]


def heat_of(found: Found) -> Heat:
    """Return the cohorts of the currency that is drawn.

    Month 0 has no shade: everybody is there, and beside it nothing else would have any.
    """
    customers = {
        (row["cohort"], row["months_later"]): int(row["customers"])
        for row in found.rows
        if row["currency"] == found.currency and row["months_later"] <= _MONTHS_MAX
    }
    most = max((count for (_cohort, later), count in customers.items() if later), default=0)
    months = range(max((later for _cohort, later in customers), default=-1) + 1)
    cohorts = sorted({cohort for cohort, _later in customers})
    return Heat(
        months=months,
        lines=[
            (
                written("cohort", cohort),
                [
                    _spot(customers.get((cohort, later)), customers.get((cohort, 0)), later, most)
                    for later in months
                ],
            )
            for cohort in cohorts
        ],
    )


def _spot(count: int | None, first: int | None, later: int, most: int) -> Spot:
    if count is None:
        return Spot("", "", 0)
    # Rounded up: somebody is not nobody.
    level = -(-LEVELS * count // most) if later else 0
    return Spot(f"{count:,}", f"{100 * count / first:.1f} %" if later and first else "", level)
