"""Wait until accepted orders have settled, and read how each ended."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx

from config.replay.api import Api, problem_of
from config.replay.errors import ReplayError
from config.replay.pages import pages
from config.replay.placing import Accepted

# What an order may be before it ends; whatever else it may be called is an ending.
OPEN_STATUSES = ("pending", "requires_action")
POLL_S = 0.5
# Looking at a long backlog costs the platform as much as working on it: look a tenth of the time.
PAUSE_PER_LOOK = 9
POLL_S_MAX = 15.0

_ORDERS = "/api/v1/orders"


@dataclass(frozen=True)
class State:
    """An order as the API shows it now."""

    status: str
    cancel_reason: str | None
    total_minor: int
    currency: str
    settled_at: datetime | None

    @property
    def is_open(self) -> bool:
        return self.status in OPEN_STATUSES


@dataclass(frozen=True)
class Limits:
    """How long to wait for the last order, and how to wait between two looks."""

    timeout_s: float
    pause: Callable[[float], object]
    monotonic: Callable[[], float] = time.monotonic


def wait_until_settled(
    accepted: Collection[Accepted], *, api: Api, limits: Limits, on_open: Callable[[int], None]
) -> dict[str, State]:
    """Return the state of each order by id, once all have settled or the time is over.

    An order that the API does not know any more is left out. Tells `on_open` how many are open.
    Raises ReplayError, and what `Api.send` raises.
    """
    if not accepted:
        return {}
    ids = {one.order_id for one in accepted}
    period = _period(accepted)
    deadline = limits.monotonic() + limits.timeout_s
    while True:
        looked_at = limits.monotonic()
        open_count = _count_open(api, ids, period)
        on_open(open_count)
        is_over = limits.monotonic() >= deadline
        if open_count == 0 or is_over:
            states = _states(api, ids, period)
            if is_over or not any(state.is_open for state in states.values()):
                return states
        wait_s = min(POLL_S_MAX, max(POLL_S, PAUSE_PER_LOOK * (limits.monotonic() - looked_at)))
        limits.pause(min(wait_s, max(0.0, deadline - limits.monotonic())))


def _period(accepted: Collection[Accepted]) -> dict[str, str]:
    """Return the filter that keeps today's traffic out of the lists: past orders were placed in the past."""
    times = [one.placed_at for one in accepted]
    until = max(times) + timedelta(seconds=1)  # the end is not included
    return {"placed_after": _text(min(times)), "placed_before": _text(until)}


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _count_open(api: Api, ids: Collection[str], period: Mapping[str, str]) -> int:
    return sum(
        order["id"] in ids
        for status in OPEN_STATUSES
        for page in pages(api, _ORDERS, {**period, "status": status})
        for order in page
    )


def _states(api: Api, ids: Collection[str], period: Mapping[str, str]) -> dict[str, State]:
    """Walk the list, newest accepted first, until all are found; ask for the others one by one."""
    states: dict[str, State] = {}
    for page in pages(api, _ORDERS, period):
        states |= {order["id"]: _state_of(order) for order in page if order["id"] in ids}
        if len(states) == len(ids):
            return states
    for order_id in set(ids) - states.keys():
        # A list may come from a replica that lags; one order that it lacks is looked up at the primary.
        answer = api.send("GET", f"{_ORDERS}/{order_id}")
        if answer.is_success:
            states[order_id] = _state_of(answer.json())
        elif answer.status_code != httpx.codes.NOT_FOUND:
            raise ReplayError(f"GET {_ORDERS}/{order_id} was refused: {problem_of(answer)}")
    return states


def _state_of(order: dict[str, Any]) -> State:
    settled_at = order["settled_at"]
    return State(
        status=order["status"],
        cancel_reason=order["cancel_reason"],
        total_minor=order["total"]["amount"],
        currency=order["total"]["currency"],
        settled_at=settled_at and datetime.fromisoformat(settled_at),
    )
