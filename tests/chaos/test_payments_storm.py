"""Real orders, paid as they were paid, while gateways lie, webhooks get lost and workers die.

The short form is part of `make test`; HOLDFAST_STORM_ORDERS=3000 (`make storm`) is the long one.
"""

import json
import os
import time
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from tests.chaos.nemesis import Nemesis
from tests.chaos.verdict import settled_orders
from tests.living_stack import LivingStack
from tests.processes import wait_until

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
ORDERS = int(os.environ.get("HOLDFAST_STORM_ORDERS", "120"))
KILL_EVERY_S = 3.0
# The promise for faults that have healed (DESIGN.md, section 9).
SETTLE_WITHIN_S = 120.0
SEED = 20261125
# Of every request to a gateway, about one in five meets one of these.
REQUEST_FAULTS = (
    "lose_answer",
    "lose_request",
    "error_before",
    "error_after",
    "slow",
    "reset_before",
    "reset_after",
    "throttle",
    "garbage",
    "truncate",
    "wrong_amount",
)
REQUEST_FAULTS_SHARE = 0.2
WEBHOOK_FAULTS: tuple[dict[str, Any], ...] = (
    {"fault": "webhook_drop", "probability": 0.3},
    {"fault": "webhook_twice", "probability": 0.2},
    {"fault": "webhook_shuffle", "probability": 1.0},
    {"fault": "webhook_late", "probability": 0.1},
    {"fault": "webhook_wrong_amount", "probability": 0.05},
    {"fault": "webhook_bad_signature", "probability": 0.05},
)


def storm_faults() -> list[dict[str, Any]]:
    """Return faults of all kinds; each request draws for each of them."""
    each = REQUEST_FAULTS_SHARE / len(REQUEST_FAULTS)
    requests: list[dict[str, Any]] = [{"fault": kind, "probability": each} for kind in REQUEST_FAULTS]
    # A slow answer that comes in time, and one that does not.
    requests += [{"fault": "slow", "probability": each, "delay_ms": 1_500}]
    requests += [{"fault": "stale_reads", "probability": 0.1, "operation": "list"}]
    return [*requests, *WEBHOOK_FAULTS]


def replay(stack: LivingStack, path: Path, *options: str) -> dict[str, Any]:
    """Replay a file through the API; returns the report."""
    printed = stack.manage(
        "replay", str(path), "--json", "--settle-timeout", "1", *options, within_s=3600, may_fail=True
    )
    report: dict[str, Any] = json.loads(printed)
    return report


@pytest.mark.skipif(not DATA.exists(), reason="the real orders lie beside the checkout of developers only")
@pytest.mark.timeout(420 + ORDERS)
def test_real_orders_end_right_through_faults_of_every_kind(stack: LivingStack) -> None:
    nemesis = Nemesis(stack, kinds=("worker",), every_s=KILL_EVERY_S, random=Random(SEED))
    stack.faults(*storm_faults())
    nemesis.start()
    try:
        reports = [
            replay(stack, DATA / "olist_edge_cases.jsonl"),
            replay(stack, DATA / "olist_2017q4.jsonl.gz", "--limit", str(ORDERS)),
        ]
    finally:
        nemesis.stop()
        stack.clear_faults()
    healed_at = time.monotonic()

    ids = order_ids(stack)
    ended = settled_orders(stack, ids, within_s=SETTLE_WITHIN_S)

    took_s = time.monotonic() - healed_at
    print(
        f"{len(ended)} orders, all ended {took_s:.0f} s after the faults; killed {dict(nemesis.killed)}; "
        f"accepted {[report['accepted'] for report in reports]}"
    )
    # An order that stands in both files was accepted once, and replayed.
    assert len(ended) == sum(report["accepted"] - report["replayed"] for report in reports)
    assert in_doubt(stack) == 0
    assert double_captures(stack) == []
    # Beat does it too, and a run whose worker was killed is noticed after two minutes.
    wait_until(lambda: stack.succeeds("reconcile"), limit_s=200)
    stack.manage("audit", "--quiescent")


def order_ids(stack: LivingStack) -> list[str]:
    """Return every replayed order of the stack: those of the real data are in BRL."""
    ids = []
    cursor = None
    with stack.client() as client:
        while True:
            parameters = {"limit": 100, "placed_before": "2018-12-31T00:00:00Z"}
            page = client.get("/api/v1/orders", params=parameters | ({"cursor": cursor} if cursor else {}))
            ids += [order["id"] for order in page.raise_for_status().json()["data"]]
            cursor = page.json()["next_cursor"]
            if cursor is None:
                return ids


def in_doubt(stack: LivingStack) -> int:
    """Return how many operations at gateways are not settled, asked of the platform's own database."""
    counted = stack.manage(
        "shell",
        "-v0",
        "-c",
        "from payments.models import Operation; print(Operation.objects.exclude(phase='settled').count())",
    )
    return int(counted.strip().splitlines()[-1])


def double_captures(stack: LivingStack) -> list[str]:
    """Return the payments that a gateway's own book captured more than once, over all gateways."""
    captures: dict[str, int] = {}
    for sandbox in stack.told["sandboxes"]:
        answer = httpx.get(
            f"{sandbox['url']}/_book/charges",
            headers={"Authorization": f"Bearer {sandbox['secret_key']}"},
            timeout=60,
        )
        for charge in answer.raise_for_status().json()["data"]:
            if charge["amount_captured"]:
                payment = json.loads(charge["metadata"]).get("payment_id", charge["id"])
                captures[payment] = captures.get(payment, 0) + 1
    return [payment for payment, count in captures.items() if count > 1]
