"""What a step can answer: a closed set, matched exhaustively by `decide`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from resilience.retry import Trouble


@dataclass(frozen=True)
class Done:
    """The step's effect stands. `data` is merged into the saga's data."""

    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Refused:
    """A definitive "no" of the business: before the pivot the saga compensates, after it it parks."""

    reason: str


@dataclass(frozen=True)
class Failed:
    """It provably did not happen and may be tried again.

    `spends_attempt` is False where nobody was even asked (an open breaker).
    `retry_after_s` is the other side's own wish; the wait is never shorter.
    `trouble` chooses the rhythm of the tries from the step's policy.
    `made_progress`: something was settled on the way, so that the next try comes at once and counts from one.
    """

    error: str
    retry_after_s: float | None = None
    spends_attempt: bool = True
    made_progress: bool = False
    trouble: Trouble = Trouble.TRANSPORT


@dataclass(frozen=True)
class InDoubt:
    """It was asked and not answered: only asking again settles it, so it is never given up.

    `retry_after_s` as for `Failed`. `clears_at`: asked then, the other side's silence will mean something,
    so that the wait is never longer.
    """

    error: str
    retry_after_s: float | None = None
    clears_at: datetime | None = None


@dataclass(frozen=True)
class Waiting:
    """Somebody outside has to act first; looked at again until `until`, then asked to decide.

    Looked at sooner when somebody calls `signal`; `poll_max_s` bounds the wait of whoever no signal reaches.
    """

    reason: str
    until: datetime
    poll_max_s: float = 10.0


@dataclass(frozen=True)
class Crashed:
    """The step raised what nobody foresaw: a bug, tried a few times and then parked, never undone blindly."""

    error: str


Outcome = Done | Refused | Failed | InDoubt | Waiting | Crashed
