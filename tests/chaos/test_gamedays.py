"""Game days in their short form: the machinery works, and no fault costs an order.

How fast is a question for `make gameday`, on a machine that does nothing else.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.living_stack import LivingStack, living_stack

# By the proxy, and by the supervisor; signals are what test_kill_nine.py is about.
SCENARIOS = ("redis-black-hole", "primary-failover")
# Small, for tests share the machine.
RATE = "5"
# Whatever the machine, these hold.
KEPT = (
    "every acknowledged order is confirmed in the end",
    "no acknowledged order is missing",
    "no client misses its own order",
)

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def proxied() -> Iterator[LivingStack]:
    with living_stack("--with-proxies", "--synchronous") as running:
        yield running


@pytest.fixture(scope="module")
def reports(proxied: LivingStack) -> dict[str, dict[str, Any]]:
    """Hold them all, one after another, and return their reports."""
    proxied.manage("gameday", *SCENARIOS, "--short", "--rate", RATE, within_s=800, may_fail=True)
    folder = proxied.folder / ".holdfast" / "gamedays"
    found = [json.loads(path.read_text()) for path in sorted(folder.glob("*/report.json"))]
    return {report["scenario"]: report for report in found}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_no_fault_costs_an_order(reports: dict[str, dict[str, Any]], scenario: str) -> None:
    report = reports[scenario]
    print(json.dumps({one["expected"]: one["seen"] for one in report["expectations"]}, indent=2))

    assert report["audit"]["verdict"] == "pass"
    kept = {one["expected"]: one["holds"] for one in report["expectations"] if one["expected"] in KEPT}
    assert kept
    assert set(kept.values()) == {True}
    # It did come to orders, in each phase of the load.
    assert sum(report["orders"].values()) >= 50
    assert all(report["requests"]["POST"][phase]["sent"] > 0 for phase in ("steady", "fault", "after"))


def test_the_fault_was_felt_and_is_over(reports: dict[str, dict[str, Any]], proxied: LivingStack) -> None:
    # With Redis silent, orders wait; the other server leads.
    assert reports["redis-black-hole"]["backlog"] > 0
    status = json.loads(proxied.manage("stack", "status"))
    assert (status["leader"], status["standings"]["postgres-primary"]) == ("postgres-replica", "up")
    routes = httpx.get(f"{proxied.told['proxy']['control']}/routes", timeout=5).json()["routes"]
    assert {(route["mode"], route["latency_ms"]) for route in routes} == {("pass", 0.0)}


def test_everything_between_parts_goes_through_the_proxy(
    reports: dict[str, dict[str, Any]], proxied: LivingStack
) -> None:
    routes = httpx.get(f"{proxied.told['proxy']['control']}/routes", timeout=5).json()["routes"]
    used = {route["name"] for route in routes if route["bytes_to_client"]}

    # Each has a route that carried something. Two workers share the orders, so each sandbox by one at least.
    assert {"web-to-redis", "worker-1-to-redis", "worker-2-to-redis", "daemons-to-redis"} <= used
    assert {"web-to-postgres-primary", "worker-1-to-postgres-primary", "daemons-to-postgres-primary"} <= used
    assert {"web-to-postgres-replica", "worker-1-to-postgres-replica"} <= used
    assert {"postgres-replica-to-postgres-primary", "postgres-primary-to-postgres-replica"} <= used
    assert {"sandbox-1-to-web", "sandbox-2-to-web"} <= used
    assert any(name.endswith("-to-sandbox-1") and name.startswith("worker-") for name in used)
    assert Path(proxied.told["control"]).stat().st_mode & 0o777 == 0o600
