"""`call`: a few tries, within the deadline and the budget, of what is worth one."""

from random import Random

import pytest

from resilience.deadlines import within
from resilience.retry import Budget, RetryPolicy, Trouble, call
from resilience.retry.calling import ATTEMPTS_MAX

POLICY = RetryPolicy(
    wait_initial_s=1.0, wait_max_s=8.0, attempts_max=4, when_overloaded=RetryPolicy(5.0, 60.0)
)


class Refused(Exception):
    """Worth no retry."""


class Reset(Exception):
    """Worth one."""


class TooMuch(Exception):
    """Worth one, later."""


CLASSES = {Reset: Trouble.TRANSPORT, TooMuch: Trouble.OVERLOAD}


class Longest(Random):
    def uniform(self, a: float, b: float) -> float:
        return b


class Script:
    def __init__(self, *results: object) -> None:
        self.results = list(results)
        self.calls = 0
        self.pauses: list[float] = []

    def __call__(self) -> object:
        self.calls += 1
        result = self.results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    def run(self, *, policy: RetryPolicy = POLICY, budget: Budget | None = None) -> object:
        return call(
            self,
            policy=policy,
            trouble_of=lambda error: CLASSES.get(type(error)),
            random=Longest(),
            budget=budget,
            pause=self.pauses.append,
        )


def full_budget() -> Budget:
    return Budget(monotonic=lambda: 0.0)


def test_a_success_is_returned_at_once():
    script = Script("yes")

    assert (script.run(), script.calls, script.pauses) == ("yes", 1, [])


def test_it_waits_by_the_policy_of_each_error():
    script = Script(Reset(), TooMuch(), Reset(), "yes")

    assert (script.run(), script.pauses) == ("yes", [1.0, 10.0, 4.0])


def test_the_last_error_is_raised_when_the_attempts_are_used_up():
    errors = [Reset(number) for number in range(4)]
    script = Script(*errors)

    with pytest.raises(Reset) as raised:
        script.run()

    assert (raised.value, script.calls, len(script.pauses)) == (errors[-1], 4, 3)


def test_without_a_number_in_the_policy_it_is_three():
    script = Script(*[Reset()] * 9)

    with pytest.raises(Reset):
        script.run(policy=RetryPolicy())

    assert script.calls == ATTEMPTS_MAX == 3


def test_what_has_no_class_is_raised_at_once_and_counts_as_an_answer():
    script, budget = Script(Refused(), "yes"), full_budget()
    budget.allows(Trouble.TRANSPORT)

    with pytest.raises(Refused):
        script.run(budget=budget)

    assert (script.calls, budget.tokens) == (1, 487)


def test_no_try_is_made_that_the_deadline_would_not_see():
    script = Script(Reset(), "yes")

    with within(0.9), pytest.raises(Reset):
        script.run()
    assert (script.calls, script.pauses) == (1, [])

    script = Script(Reset(), "yes")
    with within(5.0):
        assert script.run() == "yes"


def test_the_budget_pays_for_each_retry_and_gets_it_back_from_a_success():
    budget = full_budget()

    assert Script(Reset(), Reset(), "yes").run(budget=budget) == "yes"

    assert budget.tokens == 500 - 14


def test_without_a_token_it_is_not_tried_again():
    budget = full_budget()
    while budget.allows(Trouble.TRANSPORT):
        pass
    script = Script(Reset(), "yes")

    with pytest.raises(Reset):
        script.run(budget=budget)

    assert (script.calls, script.pauses) == (1, [])
