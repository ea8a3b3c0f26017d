"""After the storm: every accepted order, in the platform's words and in the gateway's."""

import time
from collections.abc import Iterable
from typing import Any

import httpx

from tests.living_stack import LivingStack

SETTLED = {"confirmed", "cancelled"}


def settled_orders(stack: LivingStack, ids: Iterable[str], *, within_s: float) -> dict[str, dict[str, Any]]:
    """Return the orders once each has ended; fail after `within_s` with those that have not."""
    deadline = time.monotonic() + within_s
    ended: dict[str, dict[str, Any]] = {}
    waiting = list(ids)
    with stack.client() as client:
        while waiting and time.monotonic() < deadline:
            for order_id in waiting:
                try:
                    answer = client.get(f"/api/v1/orders/{order_id}")
                except httpx.TransportError:
                    break
                assert answer.status_code in (200, 503), f"{order_id}: {answer.status_code} {answer.text}"
                if answer.status_code == httpx.codes.OK and answer.json()["status"] in SETTLED:
                    ended[order_id] = answer.json()
            waiting = [order_id for order_id in waiting if order_id not in ended]
            time.sleep(0.2)
    assert not waiting, f"{len(waiting)} accepted orders have not ended: {waiting[:5]}"
    return ended


def violations(orders: dict[str, dict[str, Any]], gateway: dict[str, Any]) -> list[str]:
    """Return every difference between what we say of these orders and what the gateway's book says."""
    found = []
    for order_id, order in orders.items():
        seen = gateway.get(order_id, {"captured": 0, "refunded": 0, "captures": 0, "open_authorizations": 0})
        owed = order["total"]["amount"] if order["status"] == "confirmed" else 0
        kept = seen["captured"] - seen["refunded"]
        if kept != owed:
            found.append(f"{order_id} is {order['status']}: {owed} is due, the gateway holds {kept}")
        if seen["captures"] > len(order["payments"]):
            found.append(f"{order_id} was captured {seen['captures']} times")
        if seen["open_authorizations"]:
            found.append(f"{order_id} ended with money still reserved")
    return found


def charges_without_order(stack: LivingStack, gateway: dict[str, Any]) -> list[str]:
    """Return the order ids in the gateway's book that we know nothing of."""
    with stack.client() as client:
        return [
            order_id
            for order_id in gateway
            if client.get(f"/api/v1/orders/{order_id}").status_code != httpx.codes.OK
        ]
