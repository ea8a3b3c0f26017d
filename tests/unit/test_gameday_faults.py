"""Faults that are done again and again: one that does not happen is no fault."""

import time
from pathlib import Path

import pytest

from config.gameday.errors import GameDayError
from config.gameday.faults import repeated
from config.gameday.stage import Stage

STAGE = Stage(Path("/nowhere"))


def test_a_fault_that_fails_once_goes_on() -> None:
    done: list[int] = []

    def act(_stage: Stage) -> None:
        done.append(len(done))
        if len(done) == 1:
            raise OSError("reset")

    with repeated(act, every_s=0.01)(STAGE):
        deadline = time.monotonic() + 20
        while len(done) < 5 and time.monotonic() < deadline:
            time.sleep(0.01)

    assert len(done) >= 5


def test_a_fault_that_never_happens_is_no_game_day() -> None:
    def act(_stage: Stage) -> None:
        raise OSError("reset")

    with (
        pytest.raises(GameDayError, match="which shows nothing: OSError"),
        repeated(act, every_s=0.01)(STAGE),
    ):
        time.sleep(0.05)
