"""Retries: the budget's hot path, recovery from an outage beside tenacity and stamina, amplification.

The outage model (research/resilience.md, 2.2): clients that fail within 50 ms, a server that is away for
30 s and then takes 200 calls a second with a burst of 20; what is above that fails too. Waits are drawn from
the libraries' own functions, and ours from the one that sagas use.
"""

import heapq
import statistics
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from types import SimpleNamespace

import stamina._core
import tenacity

from benchmarks.tools.row import Row
from resilience.retry import Budget, Jitter, RetryPolicy, Trouble, wait_s
from resilience.retry.budget import Tally

OUTAGE_S = 30.0
RATE_PER_S = 200.0
BURST = 20.0
FIRST_S, CAP_S = 1.0, 60.0

# (attempt, wait before) -> wait
Wait = Callable[[int, float | None], float]


def measure(*, short: bool) -> list[Row]:
    """Return the rows of retries."""
    return [
        _hot_path(repeats=20_000 if short else 200_000),
        *_recoveries(clients=300 if short else 2000),
        *_amplification(seconds=10 if short else 60),
    ]


def _hot_path(*, repeats: int) -> Row:
    budget = Budget(monotonic=time.monotonic)

    def spend() -> None:
        budget.allows(Trouble.DOUBT)
        budget.note(Trouble.DOUBT, succeeded=True)

    full_us = _median_us(spend, repeats)
    while budget.allows(Trouble.TRANSPORT):
        pass
    empty_us = _median_us(lambda: budget.allows(Trouble.TRANSPORT), repeats)
    return Row(
        claim="a retry paid for and answered for; one refused by an empty budget",
        ours=f"{full_us:.2f} µs; {empty_us:.2f} µs",
        target="≤ 5 µs (median), 0 network calls",
        holds=max(full_us, empty_us) <= 5.0,
    )


def _median_us(act: Callable[[], object], repeats: int) -> float:
    took_ns = []
    for _repeat in range(repeats):
        began = time.perf_counter_ns()
        act()
        took_ns.append(time.perf_counter_ns() - began)
    return statistics.median(took_ns) / 1000


@dataclass(frozen=True)
class _Recovery:
    """`drain_s`: from the server's return to the last success. `peak`: the most calls in any 100 ms after."""

    calls: int
    drain_s: float
    peak: int

    def __str__(self) -> str:
        return f"{self.drain_s:.1f} s, peak {self.peak}, {self.calls} calls"


def _recoveries(*, clients: int) -> list[Row]:
    backlog_s = clients / RATE_PER_S
    best_of_peers = {name: _recover(wait, clients=clients) for name, wait in _peers().items()}
    peers = "; ".join(f"{name}: {found}" for name, found in best_of_peers.items())
    rows = []
    for jitter in Jitter:
        found = _recover(_ours(jitter), clients=clients)
        is_default = jitter is Jitter.FULL
        rows.append(
            Row(
                claim=f"{clients} clients, {OUTAGE_S:.0f} s away, {FIRST_S:g}–{CAP_S:g} s, {jitter.name}:"
                f" drained after recovery (backlog/capacity {backlog_s:.1f} s)",
                ours=str(found),
                target="peak ≤ 1.5 × capacity (30 per 100 ms)" if is_default else "",
                peers=peers if is_default else "",
                holds=found.peak <= 1.5 * RATE_PER_S / 10 if is_default else None,
            )
        )
    return rows


def _ours(jitter: Jitter) -> Wait:
    policy = RetryPolicy(wait_initial_s=FIRST_S, wait_max_s=CAP_S, jitter=jitter)
    random = Random(1)
    return lambda attempt, before_s: wait_s(policy, attempt=attempt, previous_s=before_s, random=random)


def _peers() -> dict[str, Wait]:
    exponential_jitter = tenacity.wait_exponential_jitter(initial=FIRST_S, max=CAP_S)
    random_exponential = tenacity.wait_random_exponential(multiplier=FIRST_S, max=CAP_S)
    return {
        "tenacity exponential_jitter": lambda attempt, _before_s: exponential_jitter(_state(attempt)),
        "tenacity random_exponential": lambda attempt, _before_s: random_exponential(_state(attempt)),
        "stamina": lambda attempt, _before_s: stamina._core._compute_backoff(
            attempt, CAP_S, FIRST_S, 2.0, 1.0
        ),
    }


def _state(attempt: int) -> tenacity.RetryCallState:
    return SimpleNamespace(attempt_number=attempt)  # type: ignore[return-value]


def _recover(wait: Wait, *, clients: int) -> _Recovery:
    random = Random(2)
    due = [(random.uniform(0.0, 0.05), client, 1, None) for client in range(clients)]
    heapq.heapify(due)
    tokens, refilled_at = BURST, OUTAGE_S
    calls, last_success_s = 0, 0.0
    per_100_ms: Counter[int] = Counter()
    while due:
        at, client, attempt, before_s = heapq.heappop(due)
        calls += 1
        if at >= OUTAGE_S:
            per_100_ms[int(at * 10)] += 1
            tokens = min(BURST, tokens + (at - refilled_at) * RATE_PER_S)
            refilled_at = at
            if tokens >= 1.0:
                tokens -= 1.0
                last_success_s = at
                continue
        pause_s = wait(attempt, before_s)
        heapq.heappush(due, (at + pause_s, client, attempt + 1, pause_s))
    return _Recovery(calls, last_success_s - OUTAGE_S, max(per_100_ms.values()))


def _amplification(*, seconds: int) -> list[Row]:
    with_budget, floor = _calls_in_outage(seconds=seconds, spare=True)
    without, _floor = _calls_in_outage(seconds=seconds, spare=False)
    return [
        Row(
            claim=f"{seconds} s outage, 40 processes, 400 first calls/s, 3 attempts each, no breaker:"
            " calls per first call",
            ours=f"{with_budget:.3f} (of it the floor, 1/s a process: {floor:.3f})",
            target="≤ 1.10 and the floor",
            peers=f"tenacity and stamina have no budget: {without:.3f}",
            holds=with_budget <= 1.10 + floor if seconds >= 60 else None,
        )
    ]


def _calls_in_outage(*, seconds: int, spare: bool) -> tuple[float, float]:
    """Return calls per first call while every call fails, and what the floor alone may add."""
    now_s = 0.0
    budgets = [Budget(monotonic=lambda: now_s) for _process in range(40)]
    random = Random(3)
    firsts = calls = 0
    lately: list[Tally] = []
    for _beat in range(seconds * 4):
        for budget in budgets:
            for _first in range(random.randrange(6)):  # 2.5 a beat
                firsts += 1
                calls += 1
                budget.note(None, succeeded=False)
                for _retry in range(2):
                    if not spare or budget.allows(Trouble.TRANSPORT):
                        calls += 1
                        budget.note(Trouble.TRANSPORT, succeeded=False)
        # The pulse: all processes hear what all have spent in the last 12 s.
        lately = [*lately[-47:], sum((budget.take_tally() for budget in budgets), Tally())]
        overspent = sum(lately, Tally()).is_overspent
        for budget in budgets:
            budget.is_fleet_overspent = overspent
        now_s += 0.25
    return calls / firsts, 40 * seconds / firsts
