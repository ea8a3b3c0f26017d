"""What a saga is made of: steps in order, each with its compensation, and at most one pivot.

A step works on a *batch* of runs, because statements and commits are what an order costs
(docs/adr/0003). A step either lives in the database alone (`LocalAction`) or speaks to somebody
outside (`RemoteAction`); only the second is split, so that no transaction is open during a call.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable
from uuid import UUID

from resilience.retry import RetryPolicy
from resilience.saga.outcomes import Outcome


@dataclass(frozen=True)
class Run:
    """One saga as a step sees it. `key` is its business key (an order's id, say).

    `reason` says why it compensates; empty while it goes forward.
    """

    id: UUID
    key: UUID
    data: Mapping[str, object]
    now: datetime
    deadline_at: datetime
    reason: str = ""


LocalAction = Callable[[Sequence[Run]], Mapping[UUID, Outcome]]
"""Runs inside the checkpoint's transaction; its effects commit with it or not at all.

Returns one outcome per `Run.id`. May raise: the runner then tries each run of the batch alone.
"""

Call = Callable[[], object]
"""One request to the outside, made with no transaction open, possibly on another thread."""


@dataclass(frozen=True)
class CallTimedOut:
    """The answer of a call that did not return within its step's time; it may still take effect."""

    after_s: float


@dataclass(frozen=True)
class CallRaised:
    """The answer of a call that raised instead of answering; whether it took effect is not known."""

    error: str


class RemoteAction(Protocol):
    """A step that speaks to somebody outside."""

    def prepare(self, runs: Sequence[Run]) -> Mapping[UUID, Sequence[Call]]:
        """Write the intent of each run and return the calls it needs, by `Run.id`.

        Runs in the transaction of the checkpoint *before* the call, and again for each attempt.
        A run without calls goes to `record` at once, in the same transaction.
        """

    def record(self, runs: Sequence[Run], answers: Mapping[UUID, Sequence[object]]) -> Mapping[UUID, Outcome]:
        """Write what the calls answered (in the calls' order) and say what it means, by `Run.id`.

        Runs in the transaction of the checkpoint *after* the call. An answer may be `CallRaised` or
        `CallTimedOut`.
        """


Action = LocalAction | RemoteAction


@runtime_checkable
class Resolvable(Protocol):
    """An action that knows whether a person may take it as settled; whoever does not, trusts the person."""

    def unsettled(self, run: Run) -> str:
        """Say why it is not settled and what to do instead, "" when it may count as settled.

        Runs in the transaction of the person's action, and asks the database only.
        """


@dataclass(frozen=True)
class Step:
    """One step. `undo` is called for a completed step and for the one that failed: both may have acted.

    `timeout_s` bounds the wait for a remote step's calls, whatever holds them (a resolver has no time
    limit of its own). It is above the calls' own limits and below the lease (a system check).
    """

    name: str
    do: Action
    undo: Action | None = None
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    pivot: bool = False
    timeout_s: float = 12.0


@dataclass(frozen=True)
class SagaDefinition:
    """A named, versioned sequence of steps.

    `lasts_at_most` sets a started saga's deadline: past it, a step before the pivot is not retried
    but compensated. `on_compensated` says on the business row that everything was undone. `subject` is
    what log lines call the business key.
    """

    name: str
    version: int
    steps: tuple[Step, ...]
    lasts_at_most: timedelta
    on_compensated: LocalAction | None = None
    subject: str = "business_key"

    def __post_init__(self) -> None:
        names = [step.name for step in self.steps]
        if len(set(names)) != len(names):
            raise ValueError(f"saga {self.name!r} names a step twice: {names}")
        if sum(step.pivot for step in self.steps) > 1:
            raise ValueError(f"saga {self.name!r} has more than one pivot")

    @property
    def pivot_index(self) -> int:
        """Index of the pivot; `len(steps)` when there is none, so that no step lies after it."""
        return next((i for i, step in enumerate(self.steps) if step.pivot), len(self.steps))
