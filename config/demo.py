"""A storefront's back end as we would like them: one key per order, sent again until it is answered."""

import logging
import time
from random import Random

import httpx

from config.bootstrap import CATALOGUE
from resilience.ids import new_id

logger = logging.getLogger(__name__)

# Most orders are paid; some are declined or need the payer, so that a demo shows every ending.
METHODS = {
    "pm_card_visa": 60,
    "pm_card_mastercard": 25,
    "pm_card_visa_debit": 5,
    "pm_card_visa_chargeDeclined": 5,
    "pm_card_visa_chargeDeclinedInsufficientFunds": 5,
}
TIMEOUT_S = 5.0
SENDS_MAX = 8


def place_orders_for_ever(*, url: str, api_key: str, rate: float, random: Random) -> None:
    """Place `rate` orders per second on average, with gaps as random as real ones (Poisson)."""
    with httpx.Client(
        base_url=url, headers={"Authorization": f"Bearer {api_key}"}, timeout=TIMEOUT_S
    ) as client:
        while True:
            time.sleep(random.expovariate(rate))
            _place(client, _order(random), random)


def _place(client: httpx.Client, order: dict[str, object], random: Random) -> None:
    key = str(new_id())
    for send in range(SENDS_MAX):
        try:
            answer = client.post("/api/v1/orders", json=order, headers={"Idempotency-Key": key})
        except httpx.TransportError:
            answer = None
        if answer is not None and answer.status_code not in (409, 429, 503):
            if not answer.is_success:
                logger.warning("A demo order was refused.", extra={"answer": answer.text[:500]})
            return
        time.sleep(random.uniform(0, min(5.0, 0.2 * 2**send)))
    logger.warning("A demo order was not answered.", extra={"idempotency_key": key})


def _order(random: Random) -> dict[str, object]:
    products = random.sample(CATALOGUE, k=random.choice((1, 1, 1, 2, 2, 3)))
    (method,) = random.choices(list(METHODS), list(METHODS.values()))
    return {
        "customer": {"reference": f"customer-{random.randrange(500)}"},
        "currency": "EUR",
        "lines": [{"sku": sku, "quantity": random.choice((1, 1, 2))} for sku, _, _ in products],
        "payments": [{"method": method}],
        "shipping": random.choice((0, 490)),
        "metadata": {"source": "demo"},
    }
