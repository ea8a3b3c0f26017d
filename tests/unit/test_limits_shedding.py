"""Who is turned away: the least important first, none when there is room, and within a second none again."""

import heapq
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import pairwise
from random import Random

import pytest

from resilience.limits.line import Line
from resilience.limits.shedding import BACKLOG, WAIT, Cause, Chance, Tier, chance

CAPACITY = 100.0
THREADS = 8
MIXTURE = {Tier.MONEY: 5, Tier.CHECKOUT: 30, Tier.READ: 40, Tier.LIST: 15, Tier.REPORT: 10}


class Server:
    """Eight threads that do a hundred requests a second, with a line before them; its time is simulated."""

    def __init__(self, load: Callable[[float], float], *, seconds: float, seed: int = 1) -> None:
        self.random = Random(seed)
        self.now_s = 0.0
        self.line = Line(monotonic=lambda: self.now_s)
        self.came: Counter[Tier] = Counter()
        self.shed: Counter[Tier] = Counter()
        self.served_at: list[float] = []
        self.shed_at: list[float] = []
        self.waits: list[float] = []
        self._waiting: list[float] = []
        self._busy = 0
        self._run(load, seconds)

    def _run(self, load: Callable[[float], float], seconds: float) -> None:
        events: list[tuple[float, int, bool]] = [(0.0, 0, True)]
        while events and events[0][0] < seconds:
            self.now_s, number, is_arrival = heapq.heappop(events)
            if is_arrival:
                gap_s = self.random.expovariate(load(self.now_s) * CAPACITY)
                heapq.heappush(events, (self.now_s + gap_s, number + 1, True))
                self._come()
            else:
                self._busy -= 1
            while self._waiting and self._busy < THREADS:
                self.waits.append(self.now_s - self._waiting.pop(0))
                self.line.leave()
                self._busy += 1
                self.served_at.append(self.now_s)
                done_at = self.now_s + self.random.expovariate(CAPACITY / THREADS)
                heapq.heappush(events, (done_at, -1, False))

    def _come(self) -> None:
        [tier] = self.random.choices(list(MIXTURE), list(MIXTURE.values()))
        self.came[tier] += 1
        if self.random.random() < chance(tier, wait_s=self.line.wait_s(), backlog_s=0.0).share:
            self.shed[tier] += 1
            self.shed_at.append(self.now_s)
        else:
            self._waiting.append(self.now_s)
            self.line.join()

    def share_done(self, tier: Tier) -> float:
        return 1 - self.shed[tier] / self.came[tier]


@pytest.mark.parametrize("seed", range(5))
def test_at_three_times_the_capacity_the_server_is_busy_and_money_is_not_turned_away(seed: int):
    server = Server(lambda _now_s: 3.0, seconds=60, seed=seed)

    assert len(server.served_at) > 0.95 * CAPACITY * 60
    assert server.shed[Tier.MONEY] == 0
    shares = [server.share_done(tier) for tier in Tier]
    assert shares == sorted(shares, reverse=True)
    assert server.share_done(Tier.CHECKOUT) > 0.7
    assert server.share_done(Tier.REPORT) < 0.1
    # Nobody who is let in waits longer than the last stretch, but for the queue's own noise.
    assert max(server.waits) < 2 * WAIT[Tier.CHECKOUT].all_s


def test_ten_times_the_capacity_is_no_worse():
    server = Server(lambda _now_s: 10.0, seconds=30)

    assert len(server.served_at) > 0.95 * CAPACITY * 30
    assert server.shed[Tier.MONEY] == 0
    assert max(server.waits) < 2 * WAIT[Tier.CHECKOUT].all_s


def test_below_the_capacity_next_to_nobody_is_turned_away():
    server = Server(lambda _now_s: 0.7, seconds=60)

    assert sum(server.shed.values()) < 0.01 * sum(server.came.values())
    assert server.shed.keys() <= {Tier.REPORT, Tier.LIST}


def test_a_second_after_the_overload_all_is_as_before():
    server = Server(lambda now_s: 3.0 if now_s < 30 else 0.5, seconds=60)

    after = [at for at in server.shed_at if at > 31]
    assert len(after) <= 0.005 * sum(at > 31 for at in server.served_at)


def test_a_server_that_serves_nobody_turns_away_by_how_long_the_first_has_waited():
    now_s = [0.0]
    line = Line(monotonic=lambda: now_s[0])
    line.join()

    now_s[0] = 0.4

    assert line.wait_s() == 0.4
    assert chance(Tier.READ, wait_s=line.wait_s(), backlog_s=0) == Chance(1.0, Cause.QUEUE)
    assert chance(Tier.CHECKOUT, wait_s=line.wait_s(), backlog_s=0).share == pytest.approx(0.5)


def test_an_idle_gap_is_not_taken_for_a_slow_pace():
    now_s = [0.0]
    line = Line(monotonic=lambda: now_s[0])
    line.join()
    line.leave()
    now_s[0] = 100.0
    line.join()
    line.leave()
    line.join()

    assert line.wait_s() == 0.0


def test_the_pace_of_a_server_that_hung_turns_nobody_away_for_ever():
    now_s = [0.0]
    line = Line(monotonic=lambda: now_s[0])
    for _ in range(3):
        line.join()
    line.leave()
    now_s[0] = 60.0
    line.leave()
    line.leave()
    # Whoever finds one in the line is turned away, so that nobody stands behind anybody and shows the pace.
    line.join()
    assert chance(Tier.CHECKOUT, wait_s=line.wait_s(), backlog_s=0).share == 1.0
    line.leave()

    now_s[0] = 63.0
    line.join()

    assert line.wait_s() == 0.0


@pytest.mark.parametrize(
    ("tier", "backlog_s", "share"),
    [
        (Tier.REPORT, 60, 0.0), (Tier.REPORT, 90, 0.5), (Tier.REPORT, 120, 1.0),
        (Tier.LIST, 300, 0.0), (Tier.LIST, 600, 1.0),
        (Tier.CHECKOUT, 3600, 0.0), (Tier.CHECKOUT, 5400, 0.5), (Tier.CHECKOUT, 7200, 1.0),
        (Tier.READ, 1e6, 0.0), (Tier.MONEY, 1e6, 0.0),
    ],
)  # fmt: skip
def test_a_backlog_of_sagas_turns_away_what_would_add_to_it(tier: Tier, backlog_s: float, share: float):
    assert chance(tier, wait_s=0, backlog_s=backlog_s).share == pytest.approx(share)


def test_the_greater_cause_is_named():
    assert chance(Tier.REPORT, wait_s=0.075, backlog_s=1e6) == Chance(1.0, Cause.BACKLOG)
    assert chance(Tier.REPORT, wait_s=1.0, backlog_s=90) == Chance(1.0, Cause.QUEUE)


@pytest.mark.parametrize("stretches", [WAIT, BACKLOG])
def test_nothing_of_a_tier_is_turned_away_while_anything_of_a_lower_one_is_let_in(
    stretches: Mapping[Tier, object],
):
    ordered = [WAIT[tier] if stretches is WAIT else BACKLOG[tier] for tier in sorted(stretches, reverse=True)]

    assert all(lower.all_s <= upper.none_s for lower, upper in pairwise(ordered))
    assert all(stretch.none_s < stretch.all_s for stretch in ordered)
