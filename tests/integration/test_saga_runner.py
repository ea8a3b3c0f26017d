"""The engine on toy sagas: what a run does with every outcome, with poison, with hands on it."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random
from uuid import UUID

import pytest
from django.db import OperationalError

from resilience.clock import now
from resilience.ids import new_id
from resilience.retry import Jitter, RetryPolicy
from resilience.saga import operate, registry, store
from resilience.saga.decide import DOUBT_ASKS_MAX
from resilience.saga.definition import Call, CallRaised, CallTimedOut, Run, SagaDefinition, Step
from resilience.saga.models import OperatorAction, Saga, SagaStep
from resilience.saga.outcomes import Done, Failed, InDoubt, Outcome, Refused, Waiting
from resilience.saga.runner import Counts, Runner
from resilience.saga.start import request_abort, signal, start

pytestmark = pytest.mark.django_db(transaction=True)

AT_ONCE = RetryPolicy(wait_initial_s=0.0, wait_max_s=0.0, attempts_max=3)


class Script:
    """A local action that answers as it is told, and remembers what it was called for."""

    def __init__(self, *outcomes: Outcome) -> None:
        self._outcomes = list(outcomes)
        self.called_for: list[UUID] = []

    def __call__(self, runs: Sequence[Run]) -> Mapping[UUID, Outcome]:
        return {run.id: self._next(run) for run in runs}

    def _next(self, run: Run) -> Outcome:
        self.called_for.append(run.key)
        return self._outcomes.pop(0) if self._outcomes else Done()


class Bug(Script):
    """A local action that raises until somebody mends it."""

    mended = False

    def _next(self, run: Run) -> Outcome:
        if not self.mended:
            raise ValueError("bug")
        return super()._next(run)


class Remote:
    """A remote action whose call does what it is told."""

    def __init__(self, call: Callable[[], object]) -> None:
        self._call = call
        self.answers: list[object] = []

    def prepare(self, runs: Sequence[Run]) -> Mapping[UUID, Sequence[Call]]:
        return {run.id: [self._call] for run in runs}

    def record(self, runs: Sequence[Run], answers: Mapping[UUID, Sequence[object]]) -> Mapping[UUID, Outcome]:
        self.answers += [answer for run in runs for answer in answers[run.id]]
        return {run.id: Done() if answers[run.id] == ["yes"] else InDoubt("?") for run in runs}


@pytest.fixture(autouse=True)
def _forget_toys() -> Iterator[None]:
    known = dict(registry._definitions)
    yield
    registry._definitions.clear()
    registry._definitions.update(known)


def toy(*steps: Step, **options: object) -> SagaDefinition:
    return registry.register(
        SagaDefinition(f"toy-{new_id()}", 1, steps, lasts_at_most=timedelta(hours=1), **options)  # type: ignore[arg-type]
    )


def begin(definition: SagaDefinition) -> Saga:
    key = new_id()
    assert start(definition, business_key=key, data={}, now=now())
    return Saga.objects.get(business_key=key)


def run(*sagas: Saga) -> Counts:
    return Runner("test", lease_s=5, executor=ThreadPoolExecutor(4), clock=now).run(
        [saga.id for saga in sagas]
    )


def log_of(saga: Saga) -> list[tuple[str, str, str]]:
    rows = SagaStep.objects.filter(saga=saga).order_by("id")
    return list(rows.values_list("direction", "step", "outcome"))


class Longest(Random):
    """Jitter at its bound, so that waits can be told exactly."""

    def uniform(self, a: float, b: float) -> float:
        return b


def test_a_decorrelated_wait_grows_from_the_one_in_the_log() -> None:
    policy = RetryPolicy(wait_initial_s=1.0, wait_max_s=20.0, jitter=Jitter.DECORRELATED)
    outcomes: list[Outcome] = [Failed("away")] * 4 + [Done()] + [Failed("away")]
    steps = [
        Step(name, do=lambda runs: {run.id: outcomes.pop(0) for run in runs}, retry=policy)
        for name in ("first", "second")
    ]
    saga = begin(toy(*steps))
    runner = Runner("test", lease_s=5, executor=ThreadPoolExecutor(1), clock=now, random=Longest())

    while outcomes:
        Saga.objects.filter(id=saga.id).update(due_at=now())
        runner.run([saga.id])

    waits_s = SagaStep.objects.filter(saga=saga).order_by("id").values_list("step", "delay_s")
    # The second step begins anew.
    assert list(waits_s) == [
        ("first", 3.0),
        ("first", 9.0),
        ("first", 20.0),
        ("first", 20.0),
        ("first", None),
        ("second", 3.0),
    ]


def test_steps_run_in_order_and_undo_in_reverse() -> None:
    undone: list[str] = []

    def undo(name: str) -> Callable[[Sequence[Run]], Mapping[UUID, Outcome]]:
        def action(runs: Sequence[Run]) -> Mapping[UUID, Outcome]:
            undone.append(name)
            return {run.id: Done() for run in runs}

        return action

    saga = begin(
        toy(
            Step("first", do=Script(), undo=undo("first")),
            Step("second", do=Script(), undo=undo("second")),
            Step("third", do=Script(Refused("no")), undo=undo("third")),
        )
    )

    assert run(saga) == Counts(claimed=1, ended=1)

    saga.refresh_from_db()
    assert (saga.status, saga.reason, saga.due_at) == ("compensated", "no", None)
    assert undone == ["third", "second", "first"]


def test_a_saga_that_poisons_its_batch_harms_only_itself() -> None:
    poison = begin(toy(Step("step", do=Bug(), retry=AT_ONCE)))
    healthy = [begin(toy(Step("step", do=Script()))) for _ in range(5)]

    for _attempt in range(6):
        run(poison, *healthy)

    poison.refresh_from_db()
    assert poison.status == "parked"
    assert "ValueError: bug" in poison.parked_reason
    assert {Saga.objects.get(pk=saga.pk).status for saga in healthy} == {"completed"}
    assert [outcome for _, _, outcome in log_of(poison)] == ["crashed"] * 5


def test_an_error_that_no_column_can_hold_harms_only_its_saga() -> None:
    def fail(_runs: Sequence[Run]) -> Mapping[UUID, Outcome]:
        raise ValueError("\x00 and \ud800")

    poison = begin(toy(Step("step", do=fail, retry=AT_ONCE)))
    healthy = begin(toy(Step("step", do=Script())))

    run(poison, healthy)

    assert Saga.objects.get(pk=healthy.pk).status == "completed"
    assert SagaStep.objects.get(saga=poison).error == "ValueError:  and ?"


def test_a_step_that_forgets_a_saga_has_crashed_for_it() -> None:
    forgetful = begin(toy(Step("step", do=lambda _runs: {}, retry=AT_ONCE)))

    for _attempt in range(5):
        run(forgetful)

    assert Saga.objects.get(pk=forgetful.pk).parked_reason == "step crashed 5 times: the step gave no outcome"


def test_a_lock_not_got_in_time_makes_a_saga_due_later_and_costs_no_attempt() -> None:
    def meet_contention(_runs: Sequence[Run]) -> Mapping[UUID, Outcome]:
        raise OperationalError("canceling statement due to lock timeout")

    saga = begin(toy(Step("step", do=meet_contention, retry=RetryPolicy(wait_initial_s=60, wait_max_s=60))))

    assert run(saga).rescheduled == 1

    saga.refresh_from_db()
    assert (saga.status, saga.attempt, saga.waits, saga.lease_until) == ("running", 0, 1, None)
    assert log_of(saga) == [("do", "step", "indoubt")]


def test_attempts_run_out_before_the_pivot_and_the_saga_turns_round() -> None:
    undo = Script()
    saga = begin(toy(Step("step", do=Script(*[Failed("away")] * 9), undo=undo, retry=AT_ONCE)))

    for _attempt in range(3):
        run(saga)

    saga.refresh_from_db()
    assert saga.status == "compensated"
    assert log_of(saga) == [("do", "step", "failed")] * 3 + [("undo", "step", "done")]


def test_a_call_that_hangs_is_left_behind_and_asked_about_later() -> None:
    remote = Remote(lambda: time.sleep(3) or "yes")
    saga = begin(toy(Step("ask", do=remote, retry=AT_ONCE, timeout_s=0.3)))

    began = time.monotonic()
    run(saga)

    assert time.monotonic() - began < 2
    assert remote.answers == [CallTimedOut(0.3)]
    saga.refresh_from_db()
    assert (saga.status, saga.attempt, saga.waits) == ("running", 0, 1)


def test_a_call_that_found_no_thread_in_time_is_never_made() -> None:
    made: list[str] = []
    hanging = begin(toy(Step("ask", do=Remote(lambda: time.sleep(1) or "yes"))))
    queued_remote = Remote(lambda: made.append("late") or "yes")
    queued = begin(toy(Step("ask", do=queued_remote, timeout_s=0.2)))
    executor = ThreadPoolExecutor(1)

    Runner("test", lease_s=5, executor=executor, clock=now).run([hanging.id, queued.id])
    executor.shutdown(wait=True)

    assert made == []
    assert queued_remote.answers == [CallTimedOut(0.2)]
    assert Saga.objects.get(pk=hanging.pk).status == "completed"


def test_a_call_that_hangs_does_not_hold_its_batch() -> None:
    slow = begin(toy(Step("ask", do=Remote(lambda: time.sleep(2) or "yes"))))
    ended_after: list[float] = []

    def note(runs: Sequence[Run]) -> Mapping[UUID, Outcome]:
        ended_after.append(time.monotonic() - began)
        return {run.id: Done() for run in runs}

    quick = begin(toy(Step("ask", do=Remote(lambda: "yes")), Step("end", do=note)))
    began = time.monotonic()

    assert run(slow, quick) == Counts(claimed=2, ended=2)

    assert ended_after[0] < 1


def test_a_call_that_raises_is_an_answer_too() -> None:
    def fail() -> object:
        raise RuntimeError("broken adapter")

    remote = Remote(fail)
    saga = begin(toy(Step("ask", do=remote, retry=AT_ONCE)))

    run(saga)

    assert remote.answers == [CallRaised("RuntimeError: broken adapter")]


def test_an_abort_turns_round_before_the_pivot_and_is_too_late_after_it() -> None:
    def two_steps() -> SagaDefinition:
        return toy(
            Step("first", do=Script(Failed("wait"), Done()), retry=AT_ONCE),
            Step("pivot", do=Script(), pivot=True),
            Step("last", do=Script(Failed("wait"), Done())),
        )

    early, late = two_steps(), two_steps()
    turned, finished = begin(early), begin(late)
    run(turned, finished)
    assert request_abort(early, business_key=turned.business_key)
    run(turned, finished)
    assert request_abort(late, business_key=finished.business_key)

    deadline = time.monotonic() + 10
    while Saga.objects.filter(ended_at=None).exists() and time.monotonic() < deadline:
        run(turned, finished)

    assert (Saga.objects.get(pk=turned.pk).status, Saga.objects.get(pk=turned.pk).reason) == (
        "compensated",
        "cancel_requested",
    )
    assert Saga.objects.get(pk=finished.pk).status == "completed"


def test_a_version_that_is_not_known_here_is_parked_and_not_guessed() -> None:
    saga = begin(toy(Step("step", do=Script())))
    Saga.objects.filter(pk=saga.pk).update(version=99)

    assert run(saga) == Counts(claimed=1, parked=1)

    assert "version 99 is not known" in Saga.objects.get(pk=saga.pk).parked_reason


def test_a_saga_starts_once_for_its_business_key() -> None:
    definition = toy(Step("step", do=Script()))
    key = new_id()

    assert start(definition, business_key=key, data={}, now=now())
    assert not start(definition, business_key=key, data={}, now=now())

    assert Saga.objects.filter(business_key=key).count() == 1


class TestDoubts:
    def parked_over_a_doubt(self, answer: list[object], *more: Step) -> Saga:
        """Return a saga that asked so often that an operator is shown it; `answer[0]` is what it hears."""
        saga = begin(toy(Step("ask", do=Remote(lambda: answer[0]), retry=AT_ONCE), *more))
        Saga.objects.filter(pk=saga.pk).update(waits=DOUBT_ASKS_MAX)
        assert run(saga) == Counts(claimed=1, parked=1)
        saga.refresh_from_db()
        return saga

    def test_a_doubt_is_parked_and_asked_about_until_the_answer_comes(self) -> None:
        answer: list[object] = ["?"]
        saga = self.parked_over_a_doubt(answer)
        assert (saga.status, saga.parked_from) == ("parked", "running")
        assert saga.due_at is not None
        assert store.ring(limit=10, again_after_s=5) == []

        Saga.objects.filter(pk=saga.pk).update(due_at=now())
        assert run(saga) == Counts(claimed=1, parked=1)
        answer[0] = "yes"
        Saga.objects.filter(pk=saga.pk).update(due_at=now())
        assert store.ring(limit=10, again_after_s=5) == [saga.id]
        assert run(saga) == Counts(claimed=1, ended=1)

        saga.refresh_from_db()
        assert (saga.status, saga.parked_from, saga.parked_reason, saga.due_at) == ("completed", "", "", None)

    def test_an_operator_may_act_on_one_that_is_just_being_asked_about(self) -> None:
        answer: list[object] = ["?"]
        saga = self.parked_over_a_doubt(answer)
        (held,) = self.claimed(saga)

        operate.retry(operate.Instruction(saga.id, "ada", "the gateway is back", now()))

        with pytest.raises(store.LostFenceError):
            store.checkpoint([held], lease_s=5)
        answer[0] = "yes"
        assert run(saga) == Counts(claimed=1, ended=1)

    def claimed(self, saga: Saga) -> list[store.Claimed]:
        Saga.objects.filter(pk=saga.pk).update(due_at=now())
        return store.claim([saga.id], owner="other", lease_s=5)

    def test_a_cancellation_does_not_stop_the_asking(self) -> None:
        saga = self.parked_over_a_doubt(["?"])
        definition = registry.definition_of(saga.definition, saga.version)

        assert request_abort(definition, business_key=saga.business_key)

        saga.refresh_from_db()
        assert saga.abort_requested
        assert saga.due_at is not None


class TestSignals:
    def test_a_signal_ends_the_wait(self) -> None:
        far = now() + timedelta(hours=1)
        saga = begin(toy(Step("wait", do=Script(Waiting("the payer", far)))))
        run(saga)
        Saga.objects.filter(pk=saga.pk).update(due_at=far)
        assert run(saga) == Counts()

        assert signal(business_keys=[saga.business_key, new_id()]) == {saga.business_key}

        assert store.ring(limit=10, again_after_s=3600) == [saga.id]
        assert run(saga) == Counts(claimed=1, ended=1)

    def test_a_signal_between_question_and_note_is_not_lost(self) -> None:
        far = now() + timedelta(hours=1)
        asked: list[Saga] = []

        class Asking(Remote):
            def record(self, runs: Sequence[Run], answers: Mapping[UUID, Sequence[object]]) -> object:
                return {run.id: Waiting("the payer", far, poll_max_s=3600.0) for run in runs}

        # The signal comes while the call is out: what the call saw is older than the signal.
        saga = begin(toy(Step("wait", do=Asking(lambda: signal(business_keys=[asked[0].business_key])))))
        Saga.objects.filter(pk=saga.pk).update(waits=30)
        asked.append(saga)

        assert run(saga) == Counts(claimed=1, rescheduled=1)

        saga.refresh_from_db()
        assert saga.due_at is not None
        assert saga.due_at <= now()

    def test_a_saga_that_is_signalled_while_it_ends_has_ended(self) -> None:
        asked: list[Saga] = []

        def call() -> str:
            signal(business_keys=[asked[0].business_key])
            return "yes"

        saga = begin(toy(Step("ask", do=Remote(call))))
        asked.append(saga)

        assert run(saga) == Counts(claimed=1, ended=1)

        saga.refresh_from_db()
        assert (saga.status, saga.due_at) == ("completed", None)
        assert log_of(saga) == [("do", "ask", "done")]

    def test_a_signal_to_an_ended_or_parked_saga_wakes_nobody(self) -> None:
        ended = begin(toy(Step("step", do=Script())))
        run(ended)

        assert signal(business_keys=[ended.business_key]) == set()


class TestOperators:
    def parked(self, *steps: Step) -> Saga:
        saga = begin(toy(*steps))
        for _attempt in range(5):
            run(saga)
        saga.refresh_from_db()
        assert saga.status == "parked"
        return saga

    def instruct(self, saga: Saga) -> operate.Instruction:
        return operate.Instruction(saga.id, "ada", "looked into it", now())

    def step_with(self, bug: Bug) -> Step:
        return Step("step", do=bug, undo=Script(), retry=AT_ONCE)

    def test_retry_goes_on_where_it_was_parked(self) -> None:
        bug = Bug()
        saga = self.parked(Step("before", do=Script()), self.step_with(bug))
        bug.mended = True

        operate.retry(self.instruct(saga))

        assert run(saga) == Counts(claimed=1, ended=1)
        assert Saga.objects.get(pk=saga.pk).status == "completed"
        action = OperatorAction.objects.get()
        assert (action.operator, action.action, action.step) == ("ada", "retry", "step")

    def test_retry_remembers_that_an_abort_was_requested_meanwhile(self) -> None:
        bug, last = Bug(), Script()
        saga = self.parked(self.step_with(bug), Step("last", do=last))
        bug.mended = True
        definition = registry.definition_of(saga.definition, saga.version)

        assert request_abort(definition, business_key=saga.business_key)
        assert run(saga) == Counts()
        operate.retry(self.instruct(saga))

        run(saga)
        assert last.called_for == []
        assert Saga.objects.get(pk=saga.pk).status == "compensated"

    def test_compensate_undoes(self) -> None:
        saga = self.parked(self.step_with(Bug()))

        operate.compensate(self.instruct(saga))

        assert run(saga) == Counts(claimed=1, ended=1)
        assert Saga.objects.get(pk=saga.pk).status == "compensated"

    def test_resolve_steps_over(self) -> None:
        last = Script()
        saga = self.parked(self.step_with(Bug()), Step("last", do=last))

        operate.resolve(self.instruct(saga))

        run(saga)
        assert last.called_for == [saga.business_key]
        assert Saga.objects.get(pk=saga.pk).status == "completed"

    def test_past_the_pivot_nothing_turns_round(self) -> None:
        saga = self.parked(Step("pivot", do=Script(), pivot=True), self.step_with(Bug()))

        with pytest.raises(operate.SagaPastPivotError):
            operate.compensate(self.instruct(saga))

        assert Saga.objects.get(pk=saga.pk).status == "parked"
        assert not OperatorAction.objects.exists()

    def test_only_a_parked_saga_is_in_a_persons_hands(self) -> None:
        saga = begin(toy(Step("step", do=Script())))

        for action in (operate.retry, operate.compensate, operate.resolve):
            with pytest.raises(operate.SagaNotParkedError):
                action(self.instruct(saga))

        assert not OperatorAction.objects.exists()
