"""The budget: an outage spends it, a success fills it, and nobody is shut out for ever."""

import threading
from collections.abc import Iterator
from itertools import count
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.gateways.base import Absent, Declined, InDoubt, NotSent, Succeeded, Throttled
from payments.steps.sparing import ANYWAY_EVERY, sparingly
from resilience.budgets import FleetSpending, budget_of, registry
from resilience.budgets.registry import forget
from resilience.clock import now
from resilience.retry import Budget, Trouble
from resilience.retry.budget import COSTS, FLEET_WASTED_MIN, TOKENS_MAX, Tally
from resilience.saga.asking import in_context

ACCOUNT = "one"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def spent(budget: Budget, trouble: Trouble = Trouble.TRANSPORT) -> int:
    """Retry in vain until nothing more is allowed at this moment; return how often it was."""
    for made in count():
        if not budget.allows(trouble):
            return made
        budget.note(trouble, succeeded=False)
    raise AssertionError


@pytest.mark.parametrize(
    ("trouble", "retries"),
    [(Trouble.TRANSPORT, 35), (Trouble.OVERLOAD, 100), (Trouble.DOUBT, 100), (Trouble.CONTENTION, 100)],
)
def test_retries_in_vain_end_with_the_tokens_and_one_passes_at_the_floor(trouble: Trouble, retries: int):
    assert spent(Budget(monotonic=Clock()), trouble) == retries + 1


def test_a_second_later_one_more_passes_at_the_floor_and_not_two():
    clock = Clock()
    budget = Budget(monotonic=clock)
    spent(budget)

    for _second in range(5):
        clock.now += 0.99
        assert not budget.allows(Trouble.TRANSPORT)
        clock.now += 0.02
        assert spent(budget) == 1


def test_an_hour_of_silence_saves_up_no_more_than_one():
    clock = Clock()
    budget = Budget(monotonic=clock)
    spent(budget)
    clock.now += 3600

    assert spent(budget) == 1


def test_a_retry_that_succeeds_costs_nothing():
    budget = Budget(monotonic=Clock())

    for _retry in range(1000):
        assert budget.allows(Trouble.TRANSPORT)
        budget.note(Trouble.TRANSPORT, succeeded=True)

    assert budget.tokens == TOKENS_MAX


def test_fourteen_first_successes_pay_for_one_retry():
    budget = Budget(monotonic=Clock())
    spent(budget)
    assert budget.tokens == 500 - 35 * 14

    for _call in range(4):
        budget.note(None, succeeded=True)

    assert (budget.tokens, budget.allows(Trouble.TRANSPORT), budget.tokens) == (14, True, 0)


def test_recovery_begins_at_the_floor_and_doubles_nothing_that_fails():
    clock = Clock()
    budget = Budget(monotonic=clock)
    spent(budget)
    clock.now += 1.0

    # The one at the floor succeeds, and so brings the price of the next, which goes on for ever.
    assert budget.allows(Trouble.TRANSPORT)
    budget.note(Trouble.TRANSPORT, succeeded=True)
    for _retry in range(50):
        assert budget.allows(Trouble.TRANSPORT)
        budget.note(Trouble.TRANSPORT, succeeded=True)

    assert spent(budget) == 1 + (10 + 4) // 14 - 1


def test_whoever_is_due_passes_without_a_token():
    budget = Budget(monotonic=Clock())
    spent(budget, Trouble.DOUBT)

    assert not budget.allows(Trouble.DOUBT)
    assert budget.allows(Trouble.DOUBT, is_due=True)


def test_a_fleet_that_has_overspent_leaves_the_floor():
    budget = Budget(monotonic=Clock())
    budget.is_fleet_overspent = True

    assert spent(budget) == 1
    assert budget.tokens == TOKENS_MAX


@pytest.mark.parametrize(
    ("calls", "wasted", "is_overspent"),
    [
        (0, 0, False),
        (FLEET_WASTED_MIN - 1, FLEET_WASTED_MIN - 1, False),
        (FLEET_WASTED_MIN, FLEET_WASTED_MIN, True),
        (110, 10, False),
        (109, 10, True),
        (1100, 100, False),
        (1100, 101, True),
    ],
)
def test_a_tenth_of_all_other_calls_may_be_retries_in_vain(calls: int, wasted: int, is_overspent: bool):
    assert Tally(calls, wasted).is_overspent is is_overspent


@given(st.lists(st.tuples(st.sampled_from([None, *Trouble]), st.booleans(), st.floats(0, 3)), max_size=300))
def test_the_bucket_never_leaves_its_bounds_and_counts_every_call(
    calls: list[tuple[Trouble | None, bool, float]],
):
    clock = Clock()
    budget = Budget(monotonic=clock)
    made = wasted = 0

    for trouble, succeeded, pause_s in calls:
        clock.now += pause_s
        if trouble is None or budget.allows(trouble):
            budget.note(trouble, succeeded=succeeded)
            made += 1
            wasted += trouble is not None and not succeeded
        assert 0 <= budget.tokens <= TOKENS_MAX

    assert budget.take_tally() == Tally(made, wasted)
    assert budget.take_tally() == Tally()


def test_threads_spend_each_token_once():
    budget = Budget(monotonic=Clock())
    allowed: list[int] = []
    barrier = threading.Barrier(8)

    def spend() -> None:
        barrier.wait(10)
        allowed.append(sum(budget.allows(Trouble.DOUBT) for _retry in range(1000)))

    threads = [threading.Thread(target=spend) for _thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert sum(allowed) == TOKENS_MAX / COSTS[Trouble.DOUBT] + 1


def test_in_an_outage_a_fleet_adds_a_tenth_to_its_calls_and_its_floor():
    """Forty processes, 60 s, every call fails; each first failure would be retried three times."""
    clock, random = Clock(), Random(5)
    budgets = [Budget(monotonic=clock) for _process in range(40)]
    firsts = retries = 0

    lately: list[Tally] = []
    for _beat in range(240):
        for budget in budgets:
            if random.random() < 0.5:  # 80 first calls a second
                firsts += 1
                budget.note(None, succeeded=False)
                for _retry in range(3):
                    if budget.allows(Trouble.TRANSPORT):
                        retries += 1
                        budget.note(Trouble.TRANSPORT, succeeded=False)
        lately = [*lately[-47:], sum((budget.take_tally() for budget in budgets), Tally())]
        for budget in budgets:
            budget.is_fleet_overspent = sum(lately, Tally()).is_overspent
        clock.now += 0.25

    assert firsts > 4000
    # Each of the forty passes one a second at most; without any budget it is 3.0.
    floor_share = 40 * 60 / firsts
    assert retries / firsts <= 0.1 + floor_share
    # And with none but each process's own bucket: 35 each, then the floor.
    assert retries < 40 * (35 + 60)


# --- Where a gateway is asked ----------------------------------------------------------------


@pytest.fixture
def account() -> Iterator[str]:
    forget()
    registry._budgets[ACCOUNT] = Budget(monotonic=Clock())
    yield ACCOUNT
    forget()


def as_saga(tries: int, trouble: Trouble | None, answer: object) -> tuple[object, int]:
    """Ask as a saga does at its `tries`-th try; return the answer and how often the gateway was asked."""
    asked: list[int] = []

    def ask() -> object:
        asked.append(1)
        return answer

    act = in_context(lambda: sparingly(ACCOUNT, trouble, ask), limit_s=10.0, tries=tries)
    return act(), len(asked)


def test_a_spent_budget_answers_that_nobody_was_asked(account: str):
    spent(budget_of(account), Trouble.DOUBT)

    for trouble in (Trouble.TRANSPORT, Trouble.DOUBT):
        answer, asked = as_saga(3, trouble, Succeeded("ch_1", 1))
        assert isinstance(answer, NotSent)
        assert asked == 0


def test_a_first_call_is_never_held_back(account: str):
    spent(budget_of(account), Trouble.DOUBT)

    assert as_saga(1, None, Succeeded("ch_1", 1)) == (Succeeded("ch_1", 1), 1)


def test_no_saga_starves(account: str):
    spent(budget_of(account), Trouble.DOUBT)

    asked = [as_saga(tries, Trouble.DOUBT, InDoubt("silent"))[1] for tries in range(2, 102)]

    assert sum(asked) == 10
    assert asked[ANYWAY_EVERY - 2] == 1


@pytest.mark.parametrize(
    ("answer", "is_heard"),
    [
        (Succeeded("ch_1", 1), True),
        (Declined("card_declined", "no"), True),
        (Absent(), True),
        (InDoubt("no trace yet", is_stored=True, clears_at=now()), True),
        (InDoubt("timed out"), False),
        (NotSent("refused"), False),
        (Throttled(1.0), False),
    ],
)
def test_what_a_healthy_gateway_says_gives_the_price_back(account: str, answer: object, is_heard: bool):
    as_saga(2, Trouble.TRANSPORT, answer)

    assert budget_of(account).tokens == (500 if is_heard else 486)


# --- The fleet -------------------------------------------------------------------------------


class Pipeline:
    """Redis's hashes, and what a pipeline on them answers."""

    def __init__(self, hashes: dict[str, dict[str, int]]) -> None:
        self.hashes, self.replies = hashes, []

    def hincrby(self, key: str, field: str, amount: int) -> None:
        found = self.hashes.setdefault(key, {})
        found[field] = found.get(field, 0) + amount
        self.replies.append(found[field])

    def expire(self, key: str, _seconds: int) -> None:
        self.replies.append(1)

    def hmget(self, key: str, fields: list[str]) -> None:
        found = self.hashes.get(key, {})
        self.replies.append([str(found[field]).encode() if field in found else None for field in fields])


def test_what_others_spent_counts_and_is_forgotten_in_time(account: str):
    clock, hashes = Clock(), {}
    ours, others = FleetSpending(clock=clock), FleetSpending(clock=clock)

    def beat(member: FleetSpending) -> None:
        pipeline = Pipeline(hashes)
        member.queue(pipeline)  # type: ignore[arg-type]
        member.hear(pipeline.replies)

    for _failure in range(20):
        budget_of(account).note(None, succeeded=False)
        budget_of(account).note(Trouble.TRANSPORT, succeeded=False)
    beat(others)
    forget()  # another process
    assert not budget_of(account).is_fleet_overspent
    beat(ours)
    assert budget_of(account).is_fleet_overspent

    clock.now += 14.9 - clock.now % 5
    beat(ours)
    assert budget_of(account).is_fleet_overspent
    clock.now += 5
    beat(ours)
    assert not budget_of(account).is_fleet_overspent


def test_alone_a_process_goes_by_its_own_bucket(account: str):
    budget_of(account).is_fleet_overspent = True

    FleetSpending().miss_redis()

    assert not budget_of(account).is_fleet_overspent


def test_what_a_breaker_held_back_costs_nothing_and_is_no_retry():
    budget = budget_of(ACCOUNT)
    held_back = NotSent("the breaker is open", retry_after_s=3.0)
    for _try in range(200):
        assert sparingly(ACCOUNT, Trouble.TRANSPORT, lambda: held_back) is held_back

    assert budget.tokens == TOKENS_MAX
    assert budget.take_tally() == Tally()
    sparingly(ACCOUNT, Trouble.TRANSPORT, lambda: NotSent("refused"))
    assert budget.tokens == TOKENS_MAX - COSTS[Trouble.TRANSPORT]
