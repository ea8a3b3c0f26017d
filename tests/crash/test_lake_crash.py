"""Exporters killed with -9, at each named point and at random: no event is missing in the lake, none twice.

The short form is part of `make test`; HOLDFAST_EXPORTER_KILLS=50 (`make events`) is the long one.
"""

import os
import signal
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest

from analytics.lake.exporting import export_once
from analytics.lake.manifest import read_manifest
from analytics.lake.storage import Storage, storage
from tests.lake_kit import assert_whole, confirmed, exporter, log_size, placed
from tests.processes import wait_until

KILLS = int(os.environ.get("HOLDFAST_EXPORTER_KILLS", "6"))
ORDERS_PER_KILL = 60

# Two processes are started for each kill; on a busy machine that takes seconds.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120 + 20 * KILLS)]


@pytest.fixture
def lake(settings: Any, tmp_path: Path) -> Storage:
    settings.LAKE_URL = str(tmp_path / "lake")
    return storage()


@pytest.mark.parametrize("point", ["lake.between_files", "lake.before_commit", "lake.after_commit"])
def test_killed_at_each_point_it_goes_on_where_it_was(lake: Storage, point: str) -> None:
    for _order in range(5):
        confirmed(placed())
    with exporter(lake, point) as process:
        assert process.wait(timeout=30) == -signal.SIGKILL

    while export_once(lake).rows:
        pass
    assert_whole(lake)


def test_killed_again_and_again_while_two_run(lake: Storage) -> None:
    random, began_at = Random(4), time.monotonic()
    for _kill in range(KILLS):
        for _order in range(ORDERS_PER_KILL):
            confirmed(placed())
        seen = read_manifest(lake).number
        with exporter(lake) as victim, exporter(lake):
            wait_until(lambda seen=seen: read_manifest(lake).number > seen, limit_s=30)
            time.sleep(random.uniform(0, 0.05))  # where it is killed is up to chance
            os.kill(victim.pid, signal.SIGKILL)
    while export_once(lake).rows:
        pass

    print(f"{log_size():,} events, {KILLS} kills, {time.monotonic() - began_at:.0f} s")
    assert log_size() == KILLS * ORDERS_PER_KILL * 3
    assert_whole(lake)
