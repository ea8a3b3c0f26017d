"""Every page in a real browser on a running stack: true, readable by everybody, and acts do what they say."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from psycopg.conninfo import make_conninfo

from config.roles import VIEWER
from tests.browser.conftest import LOOKS, READY_WITHIN_MS, Visitor, serious_findings
from tests.living_stack import LivingStack
from tests.platform_kit import rows
from tests.processes import wait_until

Visit = Callable[..., Visitor]
PAGES = {
    "sagas": "/admin/sagas/",
    "money": "/admin/money/",
    "toolkit": "/admin/toolkit/",
    "events": "/admin/events/",
    "business": "/admin/business/",
    "lab": "/admin/lab/",
    "gamedays": "/admin/gamedays/",
    "second-factor": "/admin/second-factor/",
    "orders": "/admin/orders/order/",
    "audit-trail": "/admin/resilience/audittrail/",
    "act": "/admin/act/breaker-force/?id=gateway:sandbox-1",
}
_number = iter(range(10_000))


def place(stack: LivingStack, method: str = "pm_card_visa") -> dict[str, Any]:
    with stack.client() as client:
        order = {
            "customer": {"reference": "ann"},
            "currency": "EUR",
            "lines": [{"sku": "CUP-STONE-2", "quantity": 1}],
            "payments": [{"method": method}],
        }
        key = {"Idempotency-Key": f"pages-{method}-{next(_number)}", "Prefer": "wait=20"}
        answer = client.post("/api/v1/orders", json=order, headers=key)
        assert answer.status_code == 201
        found: dict[str, Any] = answer.json()
        return found


def primary(stack: LivingStack) -> str:
    return make_conninfo(stack.told["superusers"]["primary"], dbname="holdfast")


def act(page: Page, reason: str) -> None:
    page.fill("textarea[name=reason]", reason)
    page.click(".hf-act button[type=submit]")


@pytest.mark.parametrize("look", LOOKS)
def test_everybody_can_read_each_page(visit: Visit, stack: LivingStack, pictures: Path, look: str) -> None:
    order = place(stack)
    visitor = visit(look)
    page = visitor.sign_in("/admin/")
    faults = {}
    for name, path in (PAGES | {"order": f"/admin/orders/order/{order['id']}/change/"}).items():
        page.goto(stack.told["web"]["url"] + path)
        page.wait_for_load_state("networkidle")
        page.screenshot(path=pictures / f"{name}-{look}.png", full_page=True)
        found = serious_findings(page)
        if not page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"):
            found.append("wider than the screen")
        if found or visitor.complaints:
            faults[name] = [*found, *visitor.complaints]
        visitor.complaints.clear()

    assert faults == {}


def test_an_order_is_shown_as_the_database_has_it_and_cancelled(visit: Visit, stack: LivingStack) -> None:
    order = place(stack)
    page = visit().sign_in(f"/admin/orders/order/{order['id']}/change/")

    expect(page.locator("[data-money=taken] dd")).to_have_text("24.00 EUR")
    expect(page.locator("[data-saga=place_order] .hf-pill")).to_have_text("completed")
    steps = rows(
        primary(stack),
        "SELECT count(DISTINCT step) FROM resilience_saga_step WHERE saga_id IN "
        "(SELECT id FROM resilience_saga WHERE business_key = %s)",
        order["id"],
    )
    expect(page.locator(".hf-tracks li")).to_have_count(steps[0][0])

    page.get_by_role("link", name="Cancel the order").click()
    act(page, "the customer asked")
    expect(page.locator("body")).to_contain_text("is being cancelled")
    expect(page.locator("#order-title .hf-pill")).to_have_text("confirmed")

    def is_cancelled() -> bool:
        page.reload()
        return page.locator("#order-title .hf-pill").inner_text() == "cancelled"

    wait_until(is_cancelled, limit_s=60)
    expect(page.locator("[data-money=kept] dd")).to_have_text("0.00 EUR")
    expect(page.locator("[data-kind=staff]")).to_contain_text("the customer asked")
    trail = rows(
        primary(stack), "SELECT by, reason FROM resilience_audit_trail WHERE subject = %s", order["id"]
    )
    assert trail == [("operator", "the customer asked")]


def test_a_breaker_is_forced_from_the_page_and_taken_back(visit: Visit, stack: LivingStack) -> None:
    place(stack)
    page = visit().sign_in("/admin/toolkit/")
    row = page.locator("[data-breaker='gateway:sandbox-2']")

    page.goto(
        stack.told["web"]["url"] + "/admin/act/breaker-force/?id=gateway:sandbox-2&next=/admin/toolkit/"
    )
    page.select_option("select[name=state]", "forced_open")
    act(page, "a drill")
    expect(row.locator(".hf-pill")).to_have_text("forced open", timeout=30_000)

    page.goto(
        stack.told["web"]["url"] + "/admin/act/breaker-release/?id=gateway:sandbox-2&next=/admin/toolkit/"
    )
    act(page, "the drill is over")
    # The page tells by itself what has changed.
    expect(row.locator(".hf-pill")).to_have_text("closed", timeout=30_000)
    assert rows(primary(stack), "SELECT count(*) FROM resilience_breaker_override") == [(0,)]


def test_a_subscription_is_paused_and_the_pause_undone(visit: Visit, stack: LivingStack) -> None:
    page = visit().sign_in("/admin/events/")
    row = page.locator("[data-subscription='analytics.tallies']")
    row.get_by_role("link", name="pause").click()
    act(page, "a look at the tallies")
    expect(row.locator(".hf-pill")).to_have_text("paused")

    page.get_by_role("link", name="Undo").click()
    act(page, "seen")

    expect(row.locator(".hf-pill")).not_to_have_text("paused")
    assert rows(
        primary(stack), "SELECT DISTINCT paused FROM resilience_subscription WHERE name = 'analytics.tallies'"
    ) == [(False,)]


def test_parked_sagas_are_chosen_and_tried_again_together(visit: Visit, stack: LivingStack) -> None:
    parked = [place(stack)["id"] for _ in range(2)]
    # What would take hours to come about: two placements that stand parked at their last step.
    rows(
        primary(stack),
        "UPDATE resilience_saga SET status = 'parked', parked_from = 'running', parked_reason = 'a drill', "
        "ended_at = NULL, cursor = cursor - 1 "
        "WHERE business_key = ANY(%s::uuid[]) AND definition = 'place_order' RETURNING id",
        parked,
    )
    page = visit().sign_in("/admin/sagas/")
    expect(page.locator("input[name=id]")).to_have_count(2)
    for box in page.locator("input[name=id]").all():
        box.check()

    page.get_by_role("button", name=re.compile("Try again now")).click()
    expect(page.locator("caption")).to_contain_text("for 2 subjects; 2 can be done")
    act(page, "the drill is over")

    expect(page.locator("body")).to_contain_text("2 done")
    wait_until(
        lambda: (
            rows(primary(stack), "SELECT count(*) FROM resilience_saga WHERE status = 'parked'") == [(0,)]
        ),
        limit_s=60,
    )


def test_a_viewer_sees_and_cannot_act(visit: Visit, stack: LivingStack) -> None:
    order = place(stack)
    stack.manage(
        "shell",
        "-c",
        "from django.contrib.auth.models import Group, User; "
        "u, _ = User.objects.get_or_create(username='viewer', is_staff=True); u.set_password('looks only'); "
        f"u.save(); u.groups.set([Group.objects.get(name='{VIEWER}')])",
    )
    page = visit().open("/admin/")
    page.fill("input[name=username]", "viewer")
    page.fill("input[name=password]", "looks only")
    page.click("button[type=submit]")

    for path in (*PAGES.values(), f"/admin/orders/order/{order['id']}/change/"):
        answer = page.goto(stack.told["web"]["url"] + path)
        assert answer is not None
        if "/act/" in path:
            assert answer.status == 403
            continue
        assert answer.status == 200, path
        assert page.locator("a[href*='/admin/act/'], button[formaction]").count() == 0, path


def test_a_page_that_lost_its_connection_says_so(visit: Visit) -> None:
    page = visit().sign_in("/admin/toolkit/")
    page.route("**/admin/toolkit/", lambda route: route.abort())

    expect(page.locator(".hf-lost")).to_contain_text("Connection lost", timeout=READY_WITHIN_MS)
    page.unroute("**/admin/toolkit/")
    expect(page.locator(".hf-lost")).to_have_count(0, timeout=READY_WITHIN_MS)
