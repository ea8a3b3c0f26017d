"""A storefront that never gives up on an order: one key per order, sent until it is answered."""

import threading
import time
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import uuid4

import httpx

from tests.living_stack import LivingStack

SKUS = ("TEA-SENCHA-100", "TEA-ASSAM-250", "CUP-STONE-2", "TIN-BLACK-200")
METHODS = ("pm_card_visa",) * 8 + ("pm_card_visa_chargeDeclined", "pm_card_mastercard")
GIVE_UP_S = 120.0


@dataclass
class Storefront:
    """Places `rate` orders per second until stopped, and remembers what was answered."""

    stack: LivingStack
    rate: float
    random: Random
    name: str = field(default_factory=lambda: uuid4().hex)
    accepted: dict[str, dict[str, Any]] = field(default_factory=dict)
    post_s: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    @property
    def accepted_ids(self) -> list[str]:
        """Return the orders that were answered 201."""
        return [order["id"] for order in self.accepted.values()]

    def start(self, *, shoppers: int = 6) -> None:
        """Begin, with some orders in flight at a time."""
        for number in range(shoppers):
            shopper = Random(self.random.random())
            thread = threading.Thread(
                target=self._shop, args=(number, shopper, self.rate / shoppers), daemon=True
            )
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Place no new order; return when those in flight are answered."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _shop(self, number: int, random: Random, rate: float) -> None:
        with self.stack.client() as client:
            placed = 0
            while not self._stopping.wait(random.expovariate(rate)):
                self._place(client, f"{self.name}-{number}-{placed}", _order(random))
                placed += 1

    def _place(self, client: httpx.Client, key: str, order: dict[str, Any]) -> None:
        give_up = time.monotonic() + GIVE_UP_S
        while time.monotonic() < give_up:
            began = time.monotonic()
            try:
                answer = client.post("/api/v1/orders", json=order, headers={"Idempotency-Key": key})
            except httpx.TransportError:
                time.sleep(0.1)
                continue
            if answer.status_code == httpx.codes.CREATED:
                self.post_s.append(time.monotonic() - began)
                document = answer.json()
                known = self.accepted.setdefault(key, document)
                assert known["id"] == document["id"]
                return
            if answer.status_code not in (409, 503):
                self.errors.append(f"{answer.status_code} {answer.text[:300]}")
                return
            time.sleep(float(answer.headers.get("Retry-After", "1")) / 4)
        self.errors.append(f"{key} was never answered")


def _order(random: Random) -> dict[str, Any]:
    split = random.random() < 0.1
    payments = [{"method": random.choice(METHODS)}]
    if split:
        payments.append({"method": "pm_card_visa", "amount": 100})
    return {
        "customer": {"reference": f"shopper-{random.randrange(100)}"},
        "currency": "EUR",
        "lines": [
            {"sku": sku, "quantity": random.randint(1, 3)}
            for sku in random.sample(SKUS, random.randint(1, 2))
        ],
        "payments": payments,
    }
