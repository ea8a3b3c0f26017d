"""The lake's exporter lets orders go first for a minute: not while it is behind, nor to hide a failure."""

from collections.abc import Sequence
from random import Random
from threading import Event
from typing import Any

import pytest

from analytics.lake.exporting import Exported
from analytics.management.commands import export_lake

FULL = 7


class Turns(Event):
    """Lets the exporter make so many turns, without waiting."""

    def __init__(self, turns: int) -> None:
        super().__init__()
        self._left = turns

    def wait(self, timeout: float | None = None) -> bool:
        self._left -= 1
        return self._left < 0


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Any:
    """Return a function that serves some turns; gives how many exports and signs there were."""
    settings.LAKE_BATCH_ROWS = FULL

    def serve(outcomes: Sequence[Exported | OSError], *, waits: Sequence[bool]) -> tuple[int, int]:
        left, signs, waiting = list(outcomes), [], iter(waits)

        def export_once(_storage: object) -> Exported:
            outcome = left.pop(0)
            if isinstance(outcome, OSError):
                raise outcome
            return outcome

        monkeypatch.setattr(export_lake, "export_once", export_once)
        monkeypatch.setattr(export_lake, "storage", lambda: None)
        monkeypatch.setattr(export_lake, "orders_wait", lambda: next(waiting, True))
        monkeypatch.setattr(export_lake, "give_sign", signs.append)
        monkeypatch.setattr(export_lake, "connection", _Connection())
        export_lake._serve(Turns(len(waits)), random=Random(1))
        return len(outcomes) - len(left), len(signs)

    return serve


class _Connection:
    def close(self) -> None:
        """Nothing is open."""


def test_it_rests_while_orders_wait(served: Any):
    assert served([Exported(rows=1)], waits=[False, True, True, True]) == (1, 4)


def test_it_rests_a_minute_at_most(served: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(export_lake, "_PATIENCE_S", 0.0)

    assert served([Exported(rows=1)] * 5, waits=[True] * 5) == (5, 5)


def test_while_it_is_behind_it_does_not_rest(served: Any):
    full, rest = Exported(rows=FULL), Exported(rows=1)

    # Full batches are followed at once; behind the one that was not, it rests.
    assert served([full, full, rest], waits=[False, True, True, True, True]) == (3, 5)


def test_what_fails_gives_no_sign_and_is_tried_again(served: Any):
    assert served([OSError("full")] * 4, waits=[False, True, True, True]) == (4, 0)
