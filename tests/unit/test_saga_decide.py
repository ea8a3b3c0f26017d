"""The engine's mind, walked exhaustively: where a saga stands, times what its step answered."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise, product
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.retry import RetryPolicy, Trouble
from resilience.saga.decide import (
    ABORTED,
    CRASHES_MAX,
    DOUBT_ASKS_MAX,
    FORWARD_ONLY_RETRY,
    PARKED_DOUBT_RETRY,
    UNDO_RETRY,
    WAITING_POLL_INITIAL_S,
    Compensate,
    Decision,
    Finish,
    Next,
    Park,
    Position,
    RetryAt,
    decide,
)
from resilience.saga.definition import SagaDefinition, Step
from resilience.saga.outcomes import Crashed, Done, Failed, InDoubt, Outcome, Refused, Waiting
from resilience.saga.states import EDGES, TERMINAL, SagaStatus

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
UNTIL = NOW + timedelta(minutes=15)
RETRY = RetryPolicy(wait_initial_s=1.0, wait_max_s=8.0, attempts_max=3)
WAITING_POLL = RetryPolicy(wait_initial_s=WAITING_POLL_INITIAL_S, wait_max_s=Waiting("", UNTIL).poll_max_s)
ATTEMPTS_TO_PARK = UNDO_RETRY.attempts_max or 0


def nothing(_runs):
    raise AssertionError("a decision calls nobody")


def definition_of(*, steps: int, pivot: int | None) -> SagaDefinition:
    return SagaDefinition(
        name="trial",
        version=1,
        steps=tuple(
            Step(f"step_{index}", do=nothing, retry=RETRY, pivot=index == pivot) for index in range(steps)
        ),
        lasts_at_most=timedelta(hours=1),
    )


class Longest(Random):
    """Jitter at its bound, so that waits can be told exactly."""

    def uniform(self, a: float, b: float) -> float:
        return b


# --- Every case ------------------------------------------------------------------------------

OUTCOMES: dict[str, Outcome] = {
    "done": Done(),
    "refused": Refused("no"),
    "failed": Failed("away"),
    "unasked": Failed("breaker open", spends_attempt=False),
    "in_doubt": InDoubt("silence"),
    "waiting": Waiting("3-D Secure", UNTIL),
    "crashed": Crashed("bug"),
}
# name -> status and cursor, in a saga of four steps whose third is the pivot.
PLACES = {
    "before_pivot": (SagaStatus.RUNNING, 1),
    "at_pivot": (SagaStatus.RUNNING, 2),
    "past_pivot": (SagaStatus.RUNNING, 3),
    "undoing": (SagaStatus.COMPENSATING, 1),
    "undoing_first": (SagaStatus.COMPENSATING, 0),
}


@dataclass(frozen=True)
class Case:
    """What else a decision may depend on."""

    cursor: int
    abort: bool
    exhausted: bool
    late: bool
    attempt: int


def wait(policy: RetryPolicy, case: Case, *, spends: bool) -> RetryAt:
    delay_s = min(policy.wait_max_s, policy.wait_initial_s * 2**case.attempt)
    return RetryAt(NOW + timedelta(seconds=delay_s), delay_s, spends_attempt=spends)


def failed_forward(case: Case, *, spends: bool) -> Decision:
    if case.abort:
        return Compensate(case.cursor, ABORTED)
    if case.exhausted and spends:
        return Compensate(case.cursor, f"step_{case.cursor} failed 3 times: away")
    if case.late:
        error = "away" if spends else "breaker open"
        return Compensate(case.cursor, f"step_{case.cursor} missed the deadline: {error}")
    return wait(RETRY, case, spends=spends)


def failed_owed(case: Case, policy: RetryPolicy, what: str) -> Decision:
    if case.exhausted:
        return Park(f"{what} failed {ATTEMPTS_TO_PARK} times: away")
    return wait(policy, case, spends=True)


def crashed(case: Case) -> Decision:
    if case.exhausted:
        return Park(f"step_{case.cursor} crashed {CRASHES_MAX} times: bug")
    return wait(RETRY, case, spends=True)


def waiting_forward(case: Case) -> Decision:
    return Compensate(case.cursor, ABORTED) if case.abort else wait(WAITING_POLL, case, spends=False)


Expected = Callable[[Case], Decision]
EXPECTED: dict[tuple[str, str], Expected] = {
    ("before_pivot", "done"): lambda case: Compensate(1, ABORTED) if case.abort else Next(2),
    ("before_pivot", "refused"): lambda _case: Compensate(1, "no"),
    ("before_pivot", "failed"): lambda case: failed_forward(case, spends=True),
    ("before_pivot", "unasked"): lambda case: failed_forward(case, spends=False),
    ("before_pivot", "in_doubt"): lambda case: wait(RETRY, case, spends=False),
    ("before_pivot", "waiting"): waiting_forward,
    ("before_pivot", "crashed"): crashed,
    ("at_pivot", "done"): lambda _case: Next(3),
    ("at_pivot", "refused"): lambda _case: Compensate(2, "no"),
    ("at_pivot", "failed"): lambda case: failed_forward(case, spends=True),
    ("at_pivot", "unasked"): lambda case: failed_forward(case, spends=False),
    ("at_pivot", "in_doubt"): lambda case: wait(RETRY, case, spends=False),
    ("at_pivot", "waiting"): waiting_forward,
    ("at_pivot", "crashed"): crashed,
    ("past_pivot", "done"): lambda _case: Finish(SagaStatus.COMPLETED),
    ("past_pivot", "refused"): lambda _case: Park("step_3 refused after the pivot: no"),
    ("past_pivot", "failed"): lambda case: failed_owed(case, FORWARD_ONLY_RETRY, "step_3"),
    ("past_pivot", "unasked"): lambda case: wait(FORWARD_ONLY_RETRY, case, spends=False),
    ("past_pivot", "in_doubt"): lambda case: wait(RETRY, case, spends=False),
    ("past_pivot", "waiting"): lambda case: wait(WAITING_POLL, case, spends=False),
    ("past_pivot", "crashed"): crashed,
    ("undoing", "done"): lambda _case: Next(0),
    ("undoing", "refused"): lambda _case: Park("undo of step_1 refused: no"),
    ("undoing", "failed"): lambda case: failed_owed(case, UNDO_RETRY, "undo of step_1"),
    ("undoing", "unasked"): lambda case: wait(UNDO_RETRY, case, spends=False),
    ("undoing", "in_doubt"): lambda case: wait(UNDO_RETRY, case, spends=False),
    ("undoing", "waiting"): lambda case: wait(UNDO_RETRY, case, spends=False),
    ("undoing", "crashed"): crashed,
    ("undoing_first", "done"): lambda _case: Finish(SagaStatus.COMPENSATED),
    ("undoing_first", "refused"): lambda _case: Park("undo of step_0 refused: no"),
    ("undoing_first", "failed"): lambda case: failed_owed(case, UNDO_RETRY, "undo of step_0"),
    ("undoing_first", "unasked"): lambda case: wait(UNDO_RETRY, case, spends=False),
    ("undoing_first", "in_doubt"): lambda case: wait(UNDO_RETRY, case, spends=False),
    ("undoing_first", "waiting"): lambda case: wait(UNDO_RETRY, case, spends=False),
    ("undoing_first", "crashed"): crashed,
}


def _attempt(place: str, outcome: str) -> int:
    """Return how many attempts have been spent when the next one is the last."""
    if outcome == "crashed":
        return CRASHES_MAX - 1
    return 2 if place in ("before_pivot", "at_pivot") else ATTEMPTS_TO_PARK - 1


def test_every_place_and_outcome_is_expected_somehow():
    assert set(EXPECTED) == set(product(PLACES, OUTCOMES))


@pytest.mark.parametrize(("place", "outcome"), EXPECTED)
@pytest.mark.parametrize("abort", [False, True], ids=["", "abort"])
@pytest.mark.parametrize("exhausted", [False, True], ids=["", "exhausted"])
@pytest.mark.parametrize("late", [False, True], ids=["", "late"])
def test_what_follows(place: str, outcome: str, abort: bool, exhausted: bool, late: bool):
    status, cursor = PLACES[place]
    attempt = _attempt(place, outcome) if exhausted else 0
    position = Position(
        definition=definition_of(steps=4, pivot=2),
        status=status,
        cursor=cursor,
        attempt=attempt,
        waits=0,
        deadline_at=NOW - timedelta(seconds=1) if late else NOW + timedelta(hours=1),
        abort_requested=abort,
    )

    decision = decide(position, OUTCOMES[outcome], now=NOW, random=Longest())

    assert decision == EXPECTED[place, outcome](Case(cursor, abort, exhausted, late, attempt))


# --- Waits -----------------------------------------------------------------------------------


def at(cursor: int, status: SagaStatus = SagaStatus.RUNNING, **changes: object) -> Position:
    position = Position(
        definition=definition_of(steps=4, pivot=2),
        status=status,
        cursor=cursor,
        attempt=0,
        waits=0,
        deadline_at=NOW + timedelta(hours=1),
    )
    return replace(position, **changes)


def test_a_wait_grows_with_attempts_and_with_tries_that_spent_none():
    decision = decide(at(1, attempt=1, waits=1), Failed("away"), now=NOW, random=Longest())

    assert decision == RetryAt(NOW + timedelta(seconds=4), 4.0, spends_attempt=True)


@pytest.mark.parametrize("outcome", [Failed("slow down", retry_after_s=30.0), InDoubt("slow down", 30.0)])
@pytest.mark.parametrize("status", [SagaStatus.RUNNING, SagaStatus.COMPENSATING])
def test_the_other_sides_wish_is_added_to(status: SagaStatus, outcome: Outcome):
    decision = decide(at(1, status), outcome, now=NOW, random=Longest())

    assert isinstance(decision, RetryAt)
    assert decision.delay_s == 30.0 + (1.0 if status is SagaStatus.RUNNING else 0.5)


def test_a_wish_beyond_the_deadline_turns_the_saga_round():
    decision = decide(at(1), Failed("closed", retry_after_s=3600.0), now=NOW, random=Longest())

    assert decision == Compensate(1, "step_1 missed the deadline: closed")


def test_somebody_who_has_to_act_is_looked_at_when_the_time_is_up_at_the_latest():
    soon = NOW + timedelta(milliseconds=300)

    decision = decide(at(1), Waiting("3-D Secure", soon), now=NOW, random=Longest())

    assert decision == RetryAt(soon, 0.3, spends_attempt=False)


def test_somebody_who_let_the_time_pass_is_not_looked_at_without_pause():
    passed = NOW - timedelta(seconds=1)

    decision = decide(at(1), Waiting("3-D Secure", passed), now=NOW, random=Longest())

    assert decision == RetryAt(NOW + timedelta(seconds=1), 1.0, spends_attempt=False)


def test_somebody_may_be_looked_at_as_rarely_as_the_step_says():
    slow = Waiting("a slip that is paid within days", NOW + timedelta(days=3), poll_max_s=300.0)

    decision = decide(at(1, waits=20), slow, now=NOW, random=Longest())

    assert decision == RetryAt(NOW + timedelta(seconds=300), 300.0, spends_attempt=False)


@pytest.mark.parametrize("status", [SagaStatus.RUNNING, SagaStatus.COMPENSATING])
def test_a_doubt_that_lasts_is_shown_to_an_operator_and_asked_about_all_the_same(status: SagaStatus):
    last_unseen = decide(at(1, status, waits=DOUBT_ASKS_MAX - 1), InDoubt("?"), now=NOW, random=Longest())
    first_seen = decide(at(1, status, waits=DOUBT_ASKS_MAX), InDoubt("?"), now=NOW, random=Longest())

    assert isinstance(last_unseen, RetryAt)
    assert last_unseen.parked_reason == ""
    assert first_seen == RetryAt(
        NOW + timedelta(seconds=PARKED_DOUBT_RETRY.wait_max_s),
        PARKED_DOUBT_RETRY.wait_max_s,
        spends_attempt=False,
        parked_reason="step_1 is in doubt after 61 questions: ?",
    )


@pytest.mark.parametrize("status", [SagaStatus.RUNNING, SagaStatus.COMPENSATING])
def test_who_has_settled_something_goes_on_at_once_and_counts_from_one(status: SagaStatus):
    settled = Failed("a doubt is settled", spends_attempt=False, made_progress=True)

    decision = decide(at(1, status, waits=20), settled, now=NOW, random=Longest())

    assert decision == RetryAt(NOW, 0.0, spends_attempt=False, starts_over=True)


def test_progress_past_the_deadline_turns_round_all_the_same():
    settled = Failed("a doubt is settled", spends_attempt=False, made_progress=True)

    decision = decide(at(1, deadline_at=NOW), settled, now=NOW, random=Longest())

    assert decision == Compensate(1, "step_1 missed the deadline: a doubt is settled")


@pytest.mark.parametrize("status", [SagaStatus.RUNNING, SagaStatus.COMPENSATING])
def test_a_doubt_is_asked_about_when_silence_will_mean_something(status: SagaStatus):
    soon = NOW + timedelta(seconds=2)
    asked_often = at(1, status, waits=20)

    decision = decide(asked_often, InDoubt("no trace yet", clears_at=soon), now=NOW, random=Longest())
    passed = decide(asked_often, InDoubt("no trace yet", clears_at=NOW), now=NOW, random=Longest())

    assert decision == RetryAt(soon, 2.0, spends_attempt=False)
    assert isinstance(passed, RetryAt)
    assert passed.at > soon


# --- Properties ------------------------------------------------------------------------------

seconds = st.floats(0.0, 1e6)
outcomes = st.one_of(
    st.builds(Done),
    st.builds(Refused, st.just("no")),
    st.builds(Failed, st.just("away"), st.none() | seconds, st.booleans()),
    st.builds(InDoubt, st.just("silence"), st.none() | seconds),
    st.builds(Waiting, st.just("payer"), seconds.map(lambda s: NOW + timedelta(seconds=s - 5e5))),
    st.builds(Crashed, st.just("bug")),
)


@st.composite
def positions(draw: st.DrawFn) -> Position:
    steps = draw(st.integers(1, 6))
    return Position(
        definition=definition_of(steps=steps, pivot=draw(st.none() | st.integers(0, steps - 1))),
        status=draw(st.sampled_from([SagaStatus.RUNNING, SagaStatus.COMPENSATING])),
        cursor=draw(st.integers(0, steps - 1)),
        attempt=draw(st.integers(0, 1000)),
        waits=draw(st.integers(0, 100_000)),
        deadline_at=NOW + timedelta(seconds=draw(st.floats(-1e6, 1e6))),
        abort_requested=draw(st.booleans()),
    )


randoms = st.integers(0, 2**32).map(Random)


@given(positions(), outcomes, randoms)
def test_it_never_turns_round_after_the_pivot_nor_twice(position: Position, outcome: Outcome, random: Random):
    decision = decide(position, outcome, now=NOW, random=random)

    if isinstance(decision, Compensate):
        assert position.status is SagaStatus.RUNNING
        assert position.cursor <= position.definition.pivot_index
        assert decision.cursor == position.cursor
        assert decision.reason


@given(positions(), st.none() | seconds, randoms)
def test_a_doubt_is_never_undone_but_asked_about_again(
    position: Position, retry_after_s: float | None, random: Random
):
    decision = decide(position, InDoubt("silence", retry_after_s), now=NOW, random=random)

    assert isinstance(decision, RetryAt)
    assert not decision.spends_attempt


@given(positions(), outcomes, randoms)
def test_a_retry_is_neither_in_the_past_nor_before_the_other_side_wishes(
    position: Position, outcome: Outcome, random: Random
):
    decision = decide(position, outcome, now=NOW, random=random)

    if isinstance(decision, RetryAt):
        wished_s = getattr(outcome, "retry_after_s", None) or 0.0
        longest_s = max(policy.wait_max_s for policy in (RETRY, UNDO_RETRY, PARKED_DOUBT_RETRY))
        assert wished_s <= decision.delay_s <= wished_s + longest_s
        assert decision.at == NOW + timedelta(seconds=decision.delay_s)


@given(positions(), st.lists(outcomes, max_size=30), randoms)
def test_whatever_happens_first_it_ends_once_its_steps_succeed(
    position: Position, first: list[Outcome], random: Random
):
    undone: list[int] = []
    statuses = [position.status]

    for outcome in [*first, *[Done()] * 12]:
        if position.status is SagaStatus.COMPENSATING and outcome == Done():
            undone.append(position.cursor)
        position = moved(position, decide(position, outcome, now=NOW, random=random))
        if position.status is not statuses[-1]:
            statuses.append(position.status)
        if position.status in (*TERMINAL, SagaStatus.PARKED):
            break

    assert position.status in (*TERMINAL, SagaStatus.PARKED)
    assert all(later in EDGES[earlier] for earlier, later in pairwise(statuses))
    assert undone == list(range(undone[0], undone[0] - len(undone), -1)) if undone else True
    if position.status is SagaStatus.COMPENSATED:
        assert undone[-1] == 0


@given(st.integers(1, 6), st.data())
def test_a_saga_whose_steps_succeed_completes_in_order(steps: int, data: st.DataObject):
    pivot = data.draw(st.none() | st.integers(0, steps - 1))
    position = replace(at(0), definition=definition_of(steps=steps, pivot=pivot))
    done: list[int] = []

    while position.status is SagaStatus.RUNNING:
        done.append(position.cursor)
        position = moved(position, decide(position, Done(), now=NOW, random=Longest()))

    assert position.status is SagaStatus.COMPLETED
    assert done == list(range(steps))


def moved(position: Position, decision: Decision) -> Position:
    """Do to a position what the runner does to a row."""
    match decision:
        case Next(cursor):
            return replace(position, cursor=cursor, attempt=0, waits=0)
        case Compensate(cursor):
            return replace(position, status=SagaStatus.COMPENSATING, cursor=cursor, attempt=0, waits=0)
        case RetryAt(spends_attempt=True):
            return replace(position, attempt=position.attempt + 1)
        case RetryAt():
            return replace(position, waits=position.waits + 1)
        case Park():
            return replace(position, status=SagaStatus.PARKED)
        case Finish(status):
            return replace(position, status=status)


# --- Classes of error ------------------------------------------------------------------------


def test_what_has_too_much_to_do_is_given_the_time_of_its_own_policy():
    calm = RetryPolicy(wait_initial_s=1.0, wait_max_s=8.0, when_overloaded=RetryPolicy(wait_initial_s=20.0))
    definition = SagaDefinition("trial", 1, (Step("only", do=nothing, retry=calm),), timedelta(hours=1))
    position = Position(definition, SagaStatus.RUNNING, 0, 0, 0, NOW + timedelta(hours=1))

    waits_s = [
        decide(position, Failed("?", trouble=trouble), now=NOW, random=Longest()).delay_s
        for trouble in Trouble
    ]

    assert dict(zip(Trouble, waits_s, strict=True)) == {
        Trouble.TRANSPORT: 1.0,
        Trouble.OVERLOAD: 20.0,
        Trouble.DOUBT: 1.0,
        Trouble.CONTENTION: 1.0,
    }
