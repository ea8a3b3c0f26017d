"""The home page in a real browser on a running stack: true, live, readable by everybody."""

import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from playwright.sync_api import Page, expect
from psycopg.conninfo import make_conninfo

from tests.browser.conftest import LOOKS, READY_WITHIN_MS, Visitor, serious_findings
from tests.chaos.storefront import Storefront
from tests.living_stack import LivingStack
from tests.platform_kit import rows
from tests.processes import wait_until

Visit = Callable[..., Visitor]
OUTAGE_S = 30


def ready(page: Page) -> None:
    expect(page.locator("#home")).to_have_attribute("data-ready", "15m", timeout=READY_WITHIN_MS)


def level(page: Page) -> str | None:
    return page.locator("#state").get_attribute("data-level")


def reduced(page: Page) -> str:
    return page.locator("#reduced").inner_text()


def test_who_has_not_signed_in_is_asked_to(visit: Visit) -> None:
    page = visit().open("/admin/")

    assert "/admin/login/" in page.url
    assert serious_findings(page) == []


def test_its_figures_are_those_of_the_database(visit: Visit, stack: LivingStack) -> None:
    with stack.client() as client:
        for number in range(5):
            order = {
                "customer": {"reference": "ann"},
                "currency": "EUR",
                "lines": [{"sku": "CUP-STONE-2", "quantity": 1}],
                "payments": [{"method": "pm_card_visa"}],
            }
            key = {"Idempotency-Key": f"home-{number}", "Prefer": "wait=10"}
            assert client.post("/api/v1/orders", json=order, headers=key).status_code == 201
    visitor = visit()
    page = visitor.sign_in("/admin/")
    ready(page)

    expect(page.locator("[data-name=accepted] .hf-detail")).to_have_text("5 accepted", timeout=60_000)
    expect(page.locator("[data-name=confirmed] .hf-detail")).to_contain_text("5 confirmed", timeout=60_000)

    [(orders, minor)] = rows(
        make_conninfo(stack.told["superusers"]["primary"], dbname="holdfast"),
        "SELECT count(*), sum(total_minor)::bigint FROM orders_order WHERE status = 'confirmed'",
    )
    assert orders == 5
    expect(page.locator("[data-name=captured] .hf-value")).to_have_text(f"{minor / 100:,.2f} EUR")
    assert visitor.complaints == []


@pytest.mark.parametrize("look", LOOKS)
def test_everybody_can_read_it(visit: Visit, pictures: Path, look: str) -> None:
    visitor = visit(look)
    page = visitor.sign_in("/admin/")
    ready(page)

    page.screenshot(path=pictures / f"home-{look}.png", full_page=True)
    assert serious_findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert visitor.complaints == []


def test_a_connection_that_drops_shows_itself_and_comes_back(visit: Visit) -> None:
    page = visit().sign_in("/admin/")
    ready(page)

    page.route("**/*.json*", lambda route: route.abort())
    expect(page.locator("#live")).to_contain_text("connection lost", timeout=30_000)
    page.unroute("**/*.json*")
    expect(page.locator("#live")).to_contain_text("live", timeout=30_000)


def test_another_stretch_of_time_is_a_link(visit: Visit) -> None:
    page = visit().sign_in("/admin/")
    ready(page)

    page.get_by_role("link", name="24 hours").click()

    expect(page.locator("#home")).to_have_attribute("data-ready", "24h", timeout=READY_WITHIN_MS)
    assert page.url.endswith("?span=24h")
    page.reload()
    expect(page.locator(".hf-spans [aria-current]")).to_have_text("24 hours")


def test_during_an_outage_of_the_gateways_it_tells_the_truth(
    visit: Visit, stack: LivingStack, pictures: Path, record_property
) -> None:
    page = visit().sign_in("/admin/")
    ready(page)
    wait_until(lambda: level(page) == "good", limit_s=120)
    storefront = Storefront(stack, rate=8.0, random=Random(1))
    storefront.start()
    try:
        wait_until(lambda: len(storefront.accepted) >= 16, limit_s=60)
        down_at = time.monotonic()
        # Ended by hand: a slow machine may need longer to meet it.
        stack.faults({"fault": "down", "for_s": 10 * OUTAGE_S})
        wait_until(lambda: "wait, none is lost" in page.locator("#sentence").inner_text(), limit_s=120)
        told_s = time.monotonic() - down_at
        page.screenshot(path=pictures / "home-outage.png", full_page=True)
        expect(page.locator("#reduced")).to_be_visible()

        wait_until(lambda: time.monotonic() - down_at > OUTAGE_S, limit_s=OUTAGE_S + 5)
        stack.clear_faults()
        up_at = time.monotonic()
        # That a gateway answers again is known when the breaker has asked it, and told by then.
        wait_until(lambda: level(page) == "good" or "ramping" in reduced(page), limit_s=120)
        told_up_s = time.monotonic() - up_at
        wait_until(lambda: level(page) == "good", limit_s=120)
        good_again_s = time.monotonic() - up_at
    finally:
        stack.clear_faults()
        storefront.stop()
    record_property("told_s", round(told_s, 1))
    record_property("told_up_s", round(told_up_s, 1))
    record_property("good_again_s", round(good_again_s, 1))
    print(
        f"told after {told_s:.1f} s; its end after {told_up_s:.1f} s; good again after {good_again_s:.1f} s"
    )
    expect(page.locator("#incidents")).to_contain_text("to open", timeout=30_000)
    assert storefront.errors == []
