"""The figures of a replay. Pure: counted and measured from what was answered."""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from config.replay.placing import Accepted, Placement, Refused
from config.replay.settling import State

CONFIRMED = "confirmed"
CANCELLED = "cancelled"
PERCENTILES = (50, 95, 99)


@dataclass(frozen=True)
class Refusal:
    """How many orders were refused for one reason, and one of them to look at."""

    code: str
    reason: str
    orders: int
    example: str


@dataclass(frozen=True)
class Pace:
    """How fast this run's own orders went: those that were not accepted before.

    `settle_s` holds p50, p95 and p99; it is empty, and `settled_per_s` None, when no own order settled.
    """

    answered_per_s: float
    settled_per_s: float | None
    settled_orders: int
    settle_s: Mapping[str, float]


@dataclass(frozen=True)
class Report:
    """What became of the orders. `statuses` counts endings; `confirmed_minor` is money per currency."""

    products: Mapping[str, int]
    accepted: int
    replayed: int
    refusals: Sequence[Refusal]
    statuses: Mapping[str, int]
    cancel_reasons: Mapping[str, int]
    open: int
    missing: int
    confirmed_minor: Mapping[str, int]
    pace: Pace

    @property
    def refused(self) -> int:
        """How many orders were refused."""
        return sum(refusal.orders for refusal in self.refusals)

    @property
    def is_complete(self) -> bool:
        """Tell whether every accepted order was found again, and has ended."""
        return not self.open and not self.missing


def report_of(
    *,
    products: Mapping[str, int],
    placements: Sequence[Placement],
    states: Mapping[str, State],
    sending_s: float,
) -> Report:
    """Return the figures.

    `states` lacks the orders that were not found again; `sending_s` is how long posting took.
    """
    accepted = first_answers(placements)
    ended = {order_id: state for order_id, state in states.items() if not state.is_open}
    confirmed_minor: Counter[str] = Counter()
    for state in ended.values():
        if state.status == CONFIRMED:
            confirmed_minor[state.currency] += state.total_minor
    return Report(
        products=products,
        accepted=len(accepted),
        replayed=sum(one.accepted_at is None for one in accepted.values()),
        refusals=_refusals(one for one in placements if isinstance(one, Refused)),
        statuses=Counter(state.status for state in ended.values()),
        cancel_reasons=Counter(
            state.cancel_reason or "unknown" for state in ended.values() if state.status == CANCELLED
        ),
        open=len(states) - len(ended),
        missing=len(accepted) - len(states),
        confirmed_minor=confirmed_minor,
        pace=_pace(accepted, ended, answered_per_s=len(placements) / sending_s),
    )


def first_answers(placements: Iterable[Placement]) -> dict[str, Accepted]:
    """Return the accepted orders by id; a file that names an order twice has it accepted once."""
    accepted: dict[str, Accepted] = {}
    for one in placements:
        if isinstance(one, Accepted):
            accepted.setdefault(one.order_id, one)
    return accepted


def percentile(values: Collection[float], percent: int) -> float:
    """Return the smallest of `values` that `percent` % of them do not exceed (nearest rank)."""
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


def _refusals(refused: Iterable[Refused]) -> list[Refusal]:
    """Group by reason, the most frequent first; equal replays give equal groups."""
    orders: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in refused:
        orders[one.code, one.reason].append(one.source_order_id)
    grouped = [Refusal(code, reason, len(ids), min(ids)) for (code, reason), ids in orders.items()]
    return sorted(grouped, key=lambda refusal: (-refusal.orders, refusal.code, refusal.reason))


def _pace(accepted: Mapping[str, Accepted], ended: Mapping[str, State], *, answered_per_s: float) -> Pace:
    times = [
        (one.accepted_at, ended[order_id].settled_at)
        for order_id, one in accepted.items()
        if order_id in ended
    ]
    settled = [(begin, end) for begin, end in times if begin is not None and end is not None]
    # An order may settle before its client has read that it was accepted.
    waits_s = [max(0.0, (end - begin).total_seconds()) for begin, end in settled]
    return Pace(
        answered_per_s=answered_per_s,
        settled_per_s=_per_s(settled),
        settled_orders=len(settled),
        settle_s={f"p{percent}": percentile(waits_s, percent) for percent in PERCENTILES if waits_s},
    )


def _per_s(settled: Sequence[tuple[datetime, datetime]]) -> float | None:
    """Return orders per second between the first acceptance and the last ending."""
    if not settled:
        return None
    first = min(begin for begin, _end in settled)
    last = max(end for _begin, end in settled)
    return len(settled) / (last - first).total_seconds() if last > first else None
