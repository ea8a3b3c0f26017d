"""The shedder of a process: counts, shadow mode, what it says, and a forked child."""

import logging
import os
import threading
from random import Random

import pytest

from config.admission import tier_of, waited_s
from resilience.limits.backlog import Backlog
from resilience.limits.shedder import QUIET_S, RETRY_AFTER_S, Mode, Shed, Shedder
from resilience.limits.shedding import Cause, Tier


def shedder(*, mode: Mode = Mode.ON, backlog_s: float = 0.0, at: list[float] | None = None) -> Shedder:
    at = [1000.0] if at is None else at
    return Shedder(
        mode=mode,
        random=Random(1),
        monotonic=lambda: at[0],
        clock=lambda: at[0],
        backlog_s=lambda: backlog_s,
    )


def test_who_waited_too_long_is_turned_away_and_told_when_to_come_back():
    judge = shedder()

    verdicts = [judge.judge(Tier.LIST, waited_s=1.0) for _ in range(200)]

    assert all(
        verdict is not None and (verdict.tier, verdict.cause) == (Tier.LIST, Cause.QUEUE)
        for verdict in verdicts
    )
    waits = {verdict.retry_after_s for verdict in verdicts if verdict}
    # Spread, so that they do not come back together.
    assert waits == set(range(RETRY_AFTER_S[Tier.LIST][0], RETRY_AFTER_S[Tier.LIST][1] + 1))
    reading = judge.read()
    assert (reading.came, reading.shed) == ({Tier.LIST: 200}, {(Tier.LIST, Cause.QUEUE): 200})


def test_an_idle_process_lets_everything_in():
    judge = shedder()

    assert [judge.judge(tier) for tier in Tier] == [None] * len(Tier)
    assert judge.read().shed == {}
    assert judge.read().shed_at is None


def test_shadow_counts_and_lets_in():
    judge = shedder(mode=Mode.SHADOW)

    assert judge.judge(Tier.LIST, waited_s=1.0) is None

    assert judge.read().shed == {(Tier.LIST, Cause.QUEUE): 1}
    assert judge.read().shed_at == 1000.0


def test_off_does_neither():
    judge = shedder(mode=Mode.OFF)

    assert judge.judge(Tier.LIST, waited_s=1.0) is None
    assert (judge.read().came, judge.read().shed) == ({}, {})


def test_money_waits_in_a_line_of_its_own():
    at = [0.0]
    judge = shedder(at=at)
    judge.line_of(Tier.CHECKOUT).join()
    at[0] = 2.0

    assert judge.judge(Tier.CHECKOUT) is not None
    assert judge.judge(Tier.MONEY) is None


def test_the_backlog_is_a_cause():
    judge = shedder(backlog_s=121.0)

    assert isinstance(judge.judge(Tier.REPORT), Shed)
    assert judge.read().shed == {(Tier.REPORT, Cause.BACKLOG): 1}
    assert judge.judge(Tier.CHECKOUT) is None


def test_an_overload_is_logged_once(caplog: pytest.LogCaptureFixture):
    at = [0.0]
    judge = shedder(at=at)

    with caplog.at_level(logging.WARNING):
        for at[0] in (0.0, 1.0, QUIET_S, 2 * QUIET_S + 1):
            judge.judge(Tier.LIST, waited_s=1.0)

    assert [record.message for record in caplog.records] == [
        "Requests are turned away: more comes than this process can do."
    ] * 2


def test_verdicts_of_many_threads_are_all_counted():
    judge = shedder()
    barrier = threading.Barrier(8)

    def ask() -> None:
        barrier.wait(20)
        for _ in range(500):
            judge.judge(Tier.LIST, waited_s=1.0)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert judge.read().shed == {(Tier.LIST, Cause.QUEUE): 4000}


def test_a_forked_child_has_an_empty_line_and_no_counts():
    judge = shedder()
    judge.line_of(Tier.LIST).join()
    judge.judge(Tier.LIST, waited_s=1.0)

    with judge._counting:
        child = os.fork()
        if child == 0:
            reading = judge.read()
            os._exit(0 if (len(judge.line_of(Tier.LIST)), reading.came, reading.shed) == (0, {}, {}) else 1)
    _pid, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0


def test_a_backlog_that_is_not_known_turns_nobody_away(monkeypatch: pytest.MonkeyPatch):
    at = [100.0]
    monkeypatch.setattr("resilience.limits.backlog.time.monotonic", lambda: at[0])
    backlog = Backlog()
    assert backlog.age_s == 0.0

    backlog.answer("default", 77.5, 100.0)
    assert backlog.age_s == 77.5
    backlog.answer("default", None, 100.5)
    assert backlog.age_s == 0.0

    backlog.answer("default", 77.5, 101.0)
    at[0] = 112.0
    assert backlog.age_s == 0.0


@pytest.mark.parametrize(
    ("method", "path", "tier"),
    [
        ("POST", "/api/v1/payments/1/refunds", Tier.MONEY),
        ("POST", "/api/v1/orders/1/cancel", Tier.MONEY),
        ("POST", "/webhooks/stripe", Tier.MONEY),
        ("POST", "/api/v1/reconciliation/exceptions/1/resolve", Tier.MONEY),
        ("POST", "/api/v1/orders", Tier.CHECKOUT),
        ("PUT", "/api/v1/products/A", Tier.CHECKOUT),
        ("POST", "/api/v1/products/A/stock", Tier.CHECKOUT),
        ("POST", "/admin/login/", Tier.CHECKOUT),
        ("GET", "/api/v1/orders/1", Tier.READ),
        ("HEAD", "/api/v1/orders/1", Tier.READ),
        ("GET", "/api/v1/orders/1/timeline", Tier.READ),
        ("GET", "/api/v1/products/A", Tier.READ),
        ("GET", "/api/v1/payments/1", Tier.READ),
        ("GET", "/api/v1/payments/1/refunds/2", Tier.READ),
        ("GET", "/admin/", Tier.READ),
        ("GET", "/static/a.css", Tier.READ),
        ("GET", "/api/v1/orders", Tier.LIST),
        ("GET", "/api/v1/products", Tier.LIST),
        ("GET", "/api/v1/events", Tier.LIST),
        ("OPTIONS", "/api/v1/orders", Tier.LIST),
        ("GET", "/wp-login.php", Tier.LIST),
        ("GET", "/api/v1/reports/sales", Tier.REPORT),
        ("GET", "/api/v1/ledger/balances", Tier.REPORT),
        ("GET", "/api/v1/reconciliation/runs", Tier.REPORT),
        ("GET", "/admin/business/", Tier.REPORT),
        ("GET", "/admin/business/revenue/", Tier.REPORT),
        ("GET", "/admin/orders/order/export/", Tier.REPORT),
        ("POST", "/admin/orders/order/export/", Tier.REPORT),
        ("GET", "/api/docs", Tier.REPORT),
        ("GET", "/api/v1/schema", Tier.REPORT),
        ("GET", "/", Tier.REPORT),
        ("GET", "/livez", None),
        ("GET", "/readyz", None),
        ("GET", "/healthz", None),
        ("GET", "/metrics", None),
    ],
)
def test_each_address_has_its_tier(method: str, path: str, tier: Tier | None):
    assert tier_of(method, path) is tier


@pytest.mark.parametrize(
    ("header", "waited"),
    [
        ("t=1700000000.250", 0.75), ("1700000000.250", 0.75), ("t=1700000000250", 0.75),
        ("1700000000250000", 0.75), ("t=1700000002", 0.0), ("t=1600000000", 0.0), ("soon", 0.0), ("", 0.0),
        ("t=-1", 0.0), ("nan", 0.0),
    ],
)  # fmt: skip
def test_a_proxy_says_when_it_took_the_request_in(header: str, waited: float):
    assert waited_s(header, now=1700000001.0) == pytest.approx(waited)
