"""What happens next: a pure function from a saga's state and a step's outcome to a decision."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from resilience.retry import RetryPolicy, wait_s
from resilience.saga.definition import SagaDefinition, Step
from resilience.saga.outcomes import Crashed, Done, Failed, InDoubt, Outcome, Refused, Waiting
from resilience.saga.states import SagaStatus

# A bug does not heal by itself; a few tries cover a deploy that happens right now.
CRASHES_MAX = 5
# An undo is owed, so it is tried for days at a falling rate before a person is asked.
UNDO_RETRY = RetryPolicy(wait_initial_s=0.5, wait_max_s=300.0, attempts_max=500)
# After the pivot a step is owed as well.
FORWARD_ONLY_RETRY = RetryPolicy(wait_initial_s=0.5, wait_max_s=60.0, attempts_max=500)
# The reason of a saga that turned round because somebody asked for it.
ABORTED = "cancel_requested"
# The first look at somebody who was asked to act; `Waiting.poll_max_s` is the longest wait for the next.
WAITING_POLL_INITIAL_S = 1.0
# Questions without an answer before a person is told; with the waits of a gateway's step about a quarter of
# an hour. Much fewer, and operators are woken for an outage that ends by itself.
DOUBT_ASKS_MAX = 60
# Asking goes on behind an operator's back for as long as it takes, at this rate.
PARKED_DOUBT_RETRY = RetryPolicy(wait_initial_s=30.0, wait_max_s=300.0)
# Whoever is told when to come back (an open breaker, a Retry-After) comes within this, or as long again, of
# it, however often it was told. Halved, a backlog asks twice as often in vain; without it, what waited
# through an outage comes up to half a minute after its end.
TOLD_SPREAD_S = 10.0


@dataclass(frozen=True)
class Position:
    """Where a saga stands, as far as a decision needs it.

    `waited_s`: the wait before this try of the step, as the step log has it; None before its first.
    """

    definition: SagaDefinition
    status: SagaStatus
    cursor: int
    attempt: int
    waits: int
    deadline_at: datetime
    abort_requested: bool = False
    waited_s: float | None = None

    @property
    def step(self) -> Step:
        """The step to do or undo now."""
        return self.definition.steps[self.cursor]

    @property
    def is_past_pivot(self) -> bool:
        """Whether only the way forward is left."""
        return self.cursor > self.definition.pivot_index


@dataclass(frozen=True)
class Next:
    """Go on with the step at `cursor`."""

    cursor: int


@dataclass(frozen=True)
class RetryAt:
    """Do the same step again at `at`, after a wait of `delay_s`.

    With a `parked_reason` an operator is shown the saga meanwhile; `starts_over` forgets the tries so far.
    """

    at: datetime
    delay_s: float
    spends_attempt: bool
    parked_reason: str = ""
    starts_over: bool = False


@dataclass(frozen=True)
class Compensate:
    """Turn round: undo from the step at `cursor` backwards."""

    cursor: int
    reason: str


@dataclass(frozen=True)
class Park:
    """Stop and show it to an operator."""

    reason: str


@dataclass(frozen=True)
class Finish:
    """The end."""

    status: SagaStatus


Decision = Next | RetryAt | Compensate | Park | Finish


def decide(position: Position, outcome: Outcome, *, now: datetime, random: Random) -> Decision:
    """Return what follows from `outcome` of the step at `position`.

    Draws at most one number from `random`, for the jitter. Never compensates while something is
    in doubt, never turns round after the pivot.
    """
    if position.status is SagaStatus.COMPENSATING:
        return _decide_undo(position, outcome, now=now, random=random)
    return _decide_do(position, outcome, now=now, random=random)


def _decide_do(position: Position, outcome: Outcome, *, now: datetime, random: Random) -> Decision:
    match outcome:
        case Done():
            return _forward(position)
        case Refused(reason):
            if position.is_past_pivot:
                return Park(f"{position.step.name} refused after the pivot: {reason}")
            return Compensate(position.cursor, reason)
        case Failed():
            return _decide_failed(position, outcome, now=now, random=random)
        case InDoubt():
            return _decide_doubt(position, outcome, position.step.retry, now=now, random=random)
        case Waiting():
            return _decide_waiting(position, outcome, now=now, random=random)
        case Crashed(error):
            return _decide_crashed(position, error, now=now, random=random)


def _decide_failed(position: Position, failed: Failed, *, now: datetime, random: Random) -> Decision:
    policy = FORWARD_ONLY_RETRY if position.is_past_pivot else position.step.retry.under(failed.trouble)
    if position.abort_requested and not position.is_past_pivot:
        return Compensate(position.cursor, ABORTED)
    if failed.made_progress and (now < position.deadline_at or position.is_past_pivot):
        return RetryAt(now, 0.0, spends_attempt=False, starts_over=True)
    if failed.spends_attempt and _is_exhausted(policy, position.attempt + 1):
        reason = f"{position.step.name} failed {position.attempt + 1} times: {failed.error}"
        return Park(reason) if position.is_past_pivot else Compensate(position.cursor, reason)
    retry = _later(
        position,
        policy,
        now=now,
        random=random,
        spends_attempt=failed.spends_attempt,
        at_least_s=failed.retry_after_s or 0.0,
    )
    if retry.at >= position.deadline_at and not position.is_past_pivot:
        return Compensate(position.cursor, f"{position.step.name} missed the deadline: {failed.error}")
    return retry


def _decide_doubt(
    position: Position, doubt: InDoubt, policy: RetryPolicy, *, now: datetime, random: Random
) -> RetryAt:
    """Ask again, for ever; past `DOUBT_ASKS_MAX` questions an operator is told, and asking goes on."""
    asked = position.waits + 1
    is_parked = asked > DOUBT_ASKS_MAX
    retry = _later(
        position,
        PARKED_DOUBT_RETRY if is_parked else policy,
        now=now,
        random=random,
        spends_attempt=False,
        at_least_s=doubt.retry_after_s or 0.0,
    )
    reason = f"{position.step.name} is in doubt after {asked} questions: {doubt.error}" if is_parked else ""
    if doubt.clears_at and now < doubt.clears_at < retry.at:
        retry = replace(retry, at=doubt.clears_at, delay_s=(doubt.clears_at - now).total_seconds())
    return replace(retry, parked_reason=reason)


def _decide_waiting(position: Position, waiting: Waiting, *, now: datetime, random: Random) -> Decision:
    if position.abort_requested and not position.is_past_pivot:
        return Compensate(position.cursor, ABORTED)
    policy = RetryPolicy(wait_initial_s=WAITING_POLL_INITIAL_S, wait_max_s=waiting.poll_max_s)
    poll = _later(position, policy, now=now, random=random, spends_attempt=False)
    # A step that goes on waiting past its own limit is polled as before, not without pause.
    if now < waiting.until < poll.at:
        return RetryAt(waiting.until, (waiting.until - now).total_seconds(), spends_attempt=False)
    return poll


def _decide_undo(position: Position, outcome: Outcome, *, now: datetime, random: Random) -> Decision:
    match outcome:
        case Done():
            if position.cursor == 0:
                return Finish(SagaStatus.COMPENSATED)
            return Next(position.cursor - 1)
        case Refused(reason):
            return Park(f"undo of {position.step.name} refused: {reason}")
        case Failed(made_progress=True):
            return RetryAt(now, 0.0, spends_attempt=False, starts_over=True)
        case Failed(error, retry_after_s, spends_attempt):
            if spends_attempt and _is_exhausted(UNDO_RETRY, position.attempt + 1):
                return Park(f"undo of {position.step.name} failed {position.attempt + 1} times: {error}")
            return _later(
                position,
                UNDO_RETRY,
                now=now,
                random=random,
                spends_attempt=spends_attempt,
                at_least_s=retry_after_s or 0.0,
            )
        case InDoubt():
            return _decide_doubt(position, outcome, UNDO_RETRY, now=now, random=random)
        case Waiting():
            return _later(position, UNDO_RETRY, now=now, random=random, spends_attempt=False)
        case Crashed(error):
            return _decide_crashed(position, error, now=now, random=random)


def _decide_crashed(position: Position, error: str, *, now: datetime, random: Random) -> Decision:
    if position.attempt + 1 >= CRASHES_MAX:
        return Park(f"{position.step.name} crashed {position.attempt + 1} times: {error}")
    return _later(position, position.step.retry, now=now, random=random, spends_attempt=True)


def _forward(position: Position) -> Decision:
    following = position.cursor + 1
    if following == len(position.definition.steps):
        return Finish(SagaStatus.COMPLETED)
    if position.abort_requested and following <= position.definition.pivot_index:
        return Compensate(position.cursor, ABORTED)
    return Next(following)


def _is_exhausted(policy: RetryPolicy, attempts: int) -> bool:
    return policy.attempts_max is not None and attempts >= policy.attempts_max


def _later(
    position: Position,
    policy: RetryPolicy,
    *,
    now: datetime,
    random: Random,
    spends_attempt: bool,
    at_least_s: float = 0.0,
) -> RetryAt:
    tries = position.attempt + position.waits + 1
    if at_least_s:
        policy = replace(policy, wait_max_s=min(policy.wait_max_s, max(TOLD_SPREAD_S, at_least_s)))
    delay_s = at_least_s + wait_s(policy, attempt=tries, previous_s=position.waited_s, random=random)
    return RetryAt(now + timedelta(seconds=delay_s), delay_s, spends_attempt)
