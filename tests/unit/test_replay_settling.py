"""Orders are waited for by lists, however they lag; none is called settled or lost by mistake."""

from datetime import UTC, datetime
from urllib.parse import parse_qs

import httpx
import pytest

from config.replay.placing import Accepted
from config.replay.settling import Limits, wait_until_settled
from tests.replay_kit import Hours, toy_api

PLACED_AT = datetime(2017, 11, 24, 12, 0, tzinfo=UTC)


class ToyOrders:
    """Orders with a status each. `list_lags`: lists miss everything, as on a replica far behind."""

    def __init__(self, **statuses: str) -> None:
        self.statuses = statuses
        self.list_lags = False
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url))
        _empty, _api, _v1, _orders, *order_id = request.url.path.split("/")
        if order_id:
            known = order_id[0] in self.statuses
            return httpx.Response(200, json=self._order(*order_id)) if known else httpx.Response(404, json={})
        status = parse_qs(request.url.query.decode()).get("status", [None])[0]
        found = [] if self.list_lags else [o for o, s in self.statuses.items() if status in (None, s)]
        return httpx.Response(200, json={"data": [*map(self._order, found)], "next_cursor": None})

    def _order(self, order_id: str) -> dict[str, object]:
        status = self.statuses[order_id]
        settled_at = None if status == "pending" else "2026-01-01T00:00:00Z"
        return {
            "id": order_id,
            "status": status,
            "cancel_reason": None,
            "total": {"amount": 100, "currency": "BRL"},
            "settled_at": settled_at,
        }


@pytest.fixture
def hours() -> Hours:
    return Hours()


def wait_for(orders: ToyOrders, *order_ids: str, hours: Hours, timeout_s: float = 60) -> dict[str, str]:
    open_counts: list[int] = []
    states = wait_until_settled(
        [Accepted(order_id, PLACED_AT, None) for order_id in order_ids],
        api=toy_api(orders, hours=hours),
        limits=Limits(timeout_s, hours.pause, hours.monotonic),
        on_open=open_counts.append,
    )
    return {order_id: state.status for order_id, state in states.items()}


def test_nothing_is_asked_about_nothing(hours: Hours) -> None:
    orders = ToyOrders(other="pending")

    assert wait_for(orders, hours=hours) == {}
    assert orders.asked == []


def test_it_waits_for_its_own_orders_only(hours: Hours) -> None:
    orders = ToyOrders(mine="confirmed", other="pending")

    assert wait_for(orders, "mine", hours=hours) == {"mine": "confirmed"}
    assert hours.waits_s == []


def test_lists_are_narrowed_to_the_time_of_the_past_orders(hours: Hours) -> None:
    orders = ToyOrders(mine="confirmed")

    wait_for(orders, "mine", hours=hours)

    period = "placed_after=2017-11-24T12%3A00%3A00Z&placed_before=2017-11-24T12%3A00%3A01Z"
    assert all(period in url for url in orders.asked)


@pytest.mark.parametrize("status", ["pending", "requires_action"])
def test_an_open_order_is_waited_for(status: str, hours: Hours, monkeypatch: pytest.MonkeyPatch) -> None:
    orders = ToyOrders(a="confirmed", b=status)
    pause = hours.pause

    def settle_later(wait_s: float) -> bool:
        if hours.passed_s > 5:
            orders.statuses["b"] = "cancelled"
        return pause(wait_s)

    monkeypatch.setattr(hours, "pause", settle_later)

    assert wait_for(orders, "a", "b", hours=hours) == {"a": "confirmed", "b": "cancelled"}
    assert 5 < hours.passed_s < 7


def test_an_order_that_stays_open_is_told_when_the_time_is_over(hours: Hours) -> None:
    assert wait_for(ToyOrders(a="pending"), "a", hours=hours, timeout_s=10) == {"a": "pending"}
    assert hours.passed_s == 10


def test_an_order_that_lists_do_not_show_yet_is_looked_up(hours: Hours) -> None:
    orders = ToyOrders(a="pending")
    orders.list_lags = True

    assert wait_for(orders, "a", hours=hours, timeout_s=3) == {"a": "pending"}
    assert hours.passed_s == 3


def test_an_order_that_is_gone_is_left_out(hours: Hours) -> None:
    assert wait_for(ToyOrders(a="confirmed"), "a", "gone", hours=hours) == {"a": "confirmed"}
