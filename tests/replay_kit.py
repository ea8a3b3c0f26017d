"""Past orders for tests of the replay, and a toy API that answers as a script says."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import httpx

from config.replay.api import Api, Patience


def past_order(name: str, **changes: Any) -> dict[str, Any]:
    """Return a record as the file has it: two cups and freight, paid by credit card."""
    return {
        "order_id": name,
        "placed_at": "2017-10-01T00:03:33",
        "customer_id": f"customer of {name}",
        "customer_state": "SP",
        "currency": "BRL",
        "lines": [{"sku": "CUP", "seller": "s1", "quantity": 2, "unit_price": 3500, "unit_freight": 389}],
        "payments": [payment(1, "credit_card", 7778, installments=3)],
        "items_total": 7000,
        "freight_total": 778,
        "paid_total": 7778,
        "status": "delivered",
        "approved_at": None,
        "shipped_at": None,
        "delivered_at": None,
        **changes,
    }


def payment(seq: int, kind: str, amount: int, *, installments: int = 1) -> dict[str, Any]:
    """Return one payment of a record."""
    return {"seq": seq, "type": kind, "installments": installments, "amount": amount}


def written(path: Path, records: Iterable[object]) -> Path:
    """Write records as JSON Lines and return the path."""
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    return path


class Hours:
    """A clock that moves when somebody waits."""

    def __init__(self) -> None:
        self.passed_s = 0.0
        self.waits_s: list[float] = []

    def monotonic(self) -> float:
        return self.passed_s

    def pause(self, wait_s: float) -> bool:
        self.waits_s.append(wait_s)
        self.passed_s += wait_s
        return False


def toy_api(
    handler: Callable[[httpx.Request], httpx.Response], *, hours: Hours, give_up_after_s: float = 300.0
) -> Api:
    """Return a client of `handler`, which waits on `hours`."""
    return Api(
        url="http://api.example",
        api_key="hf_key",
        patience=Patience(give_up_after_s, pause=hours.pause, monotonic=hours.monotonic),
        connections_max=1,
        transport=httpx.MockTransport(handler),
    )
