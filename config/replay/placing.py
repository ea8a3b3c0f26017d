"""Post the orders; note what the API said to each."""

import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from config.replay.api import Api, is_replayed, problem_of
from config.replay.crew import work_through
from config.replay.requests import OrderRequest


@dataclass(frozen=True)
class Accepted:
    """An order that the API took on. `accepted_at` is this client's time of the first answer.

    It is None for a replayed answer: who was told first, and when, is not known here.
    """

    order_id: str
    placed_at: datetime
    accepted_at: datetime | None


@dataclass(frozen=True)
class Refused:
    """An order that the API refused: the problem's code, and where and why, without its numbers."""

    source_order_id: str
    code: str
    reason: str


Placement = Accepted | Refused


def place_orders(
    requests: Iterable[OrderRequest],
    *,
    api: Api,
    threads: int,
    stop: threading.Event,
    now: Callable[[], datetime],
    on_answer: Callable[[], None],
) -> list[Placement]:
    """Post each order until it is answered; raises what `Api.send` raises."""
    placements: list[Placement] = []

    def place(request: OrderRequest) -> None:
        answer = api.send("POST", "/api/v1/orders", body=request.body, key=request.key)
        placements.append(_placement(request, answer, answered_at=now()))
        on_answer()

    work_through(requests, act=place, threads=threads, stop=stop)
    return placements


def _placement(request: OrderRequest, answer: httpx.Response, *, answered_at: datetime) -> Placement:
    if not answer.is_success:
        problem = problem_of(answer)
        return Refused(request.source_order_id, problem["code"], _reason(problem))
    order = answer.json()
    return Accepted(
        order_id=order["id"],
        placed_at=datetime.fromisoformat(order["placed_at"]),
        accepted_at=None if is_replayed(answer) else answered_at,
    )


def _reason(problem: dict[str, Any]) -> str:
    """Return the fields at fault, a list's items as one: `/payments/*/amount min_value`.

    Without fields it is the problem's sentence with each number as N, so that equal reasons are equal.
    """
    fields = sorted({f"{_anywhere(error['field'])} {error['code']}" for error in problem.get("errors", ())})
    return ", ".join(fields) or re.sub(r"\d+", "N", str(problem.get("detail", "")))


def _anywhere(field: str) -> str:
    return re.sub(r"/\d+(?=/|$)", "/*", field)
