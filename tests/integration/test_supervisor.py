"""The supervisor with real processes: what ends comes back, what is stopped is gone."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from config.stack.errors import StackError
from config.stack.logs import LOG_BYTES_MAX
from config.stack.part import Part
from config.stack.supervisor import FencedError, Standing, Supervisor, UnknownPartError
from tests.harness import FOLDER
from tests.processes import is_alive, wait_until


@pytest.fixture
def reports() -> list[str]:
    return []


@pytest.fixture
def supervisor(tmp_path: Path, reports: list[str]) -> Iterator[Supervisor]:
    supervisor = Supervisor(
        logs=tmp_path / "logs",
        random=Random(1),
        checkpoint=lambda: None,
        progress=lambda _part: None,
        report=reports.append,
    )
    yield supervisor
    supervisor.stop([])


def shell(directory: Path, name: str, script: str, **settings: object) -> Part:
    return Part(name=name, command=("bash", "-c", script), directory=directory, **settings)


def test_a_killed_part_is_started_again_and_counted(
    supervisor: Supervisor, tmp_path: Path, reports: list[str]
) -> None:
    supervisor.start(shell(tmp_path, "sleeper", "exec sleep 60"))
    (before,) = supervisor.pids()["sleeper"]

    os.kill(before, signal.SIGKILL)
    wait_until(lambda: supervisor.pids()["sleeper"] not in ([], [before]), meanwhile=supervisor.tick)

    assert supervisor.restarts == {"sleeper": 1}
    assert [report.split(";")[0] for report in reports] == ["sleeper ended with code -9"]


def test_a_part_is_prepared_before_every_start(supervisor: Supervisor, tmp_path: Path) -> None:
    prepared: list[int] = []
    part = shell(tmp_path, "sleeper", "exec sleep 60", prepare=lambda: prepared.append(1))
    supervisor.start(part)

    os.kill(supervisor.pids()["sleeper"][0], signal.SIGKILL)
    wait_until(lambda: supervisor.restarts["sleeper"] == 1, meanwhile=supervisor.tick)

    assert prepared == [1, 1]


def test_what_a_killed_part_forked_does_not_outlive_it(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(shell(tmp_path, "parent", "sleep 60 & wait"))
    wait_until(lambda: len(supervisor.pids()["parent"]) == 2, meanwhile=supervisor.tick)
    parent, forked = supervisor.pids()["parent"]

    os.kill(parent, signal.SIGKILL)
    wait_until(lambda: supervisor.restarts["parent"] == 1, meanwhile=supervisor.tick)

    assert not is_alive(forked)


def test_a_part_that_cannot_start_is_given_up_with_the_end_of_its_log(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    part = shell(tmp_path, "broken", "echo cannot bind; exit 3", is_ready=lambda: False)

    with pytest.raises(StackError, match=r"(?s)broken does not get ready.*cannot bind"):
        supervisor.start(part)

    assert supervisor.restarts["broken"] < 5


def test_parts_stop_in_the_order_given(supervisor: Supervisor, tmp_path: Path) -> None:
    for name in ("first", "second", "third"):
        script = f"trap 'echo {name} >> order; exit' TERM; while true; do sleep 0.05; done"
        supervisor.start(shell(tmp_path, name, script))

    supervisor.stop(["second", "first"])

    assert (tmp_path / "order").read_text().split() == ["second", "first", "third"]
    assert supervisor.pids() == {}


def test_a_part_that_does_not_stop_is_killed(
    supervisor: Supervisor, tmp_path: Path, reports: list[str]
) -> None:
    script = "trap '' TERM; touch deaf; while true; do sleep 0.05; done"
    supervisor.start(shell(tmp_path, "deaf", script, stop_limit_s=0.2, is_ready=(tmp_path / "deaf").exists))
    (pid,) = supervisor.pids()["deaf"][:1]

    supervisor.stop([])

    assert not is_alive(pid)
    assert reports == ["deaf did not stop in time and was killed."]


def test_a_part_dies_with_its_supervisor(tmp_path: Path) -> None:
    script = f"""
import sys
from pathlib import Path
from random import Random
from config.stack.part import Part
from config.stack.supervisor import Supervisor

supervisor = Supervisor(
    logs=Path("{tmp_path}"), random=Random(), checkpoint=lambda: None, progress=print, report=print
)
supervisor.start(Part(name="sleeper", command=("sleep", "60"), directory=Path("{tmp_path}")))
print(supervisor.pids()["sleeper"][0], flush=True)
sys.stdin.read()
"""
    command = (sys.executable, "-c", script)
    with subprocess.Popen(
        command, cwd=FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "sleeper\n"
        child = int(running.stdout.readline())
        running.kill()

    wait_until(lambda: not is_alive(child))


def test_a_halted_part_stays_down_until_it_is_resumed(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(shell(tmp_path, "sleeper", "exec sleep 60"), shell(tmp_path, "other", "exec sleep 60"))
    (before,) = supervisor.pids()["sleeper"]

    supervisor.halt("sleeper")
    wait_until(lambda: not supervisor.pids()["sleeper"], meanwhile=supervisor.tick)
    for _tick in range(20):
        supervisor.tick()
    assert not is_alive(before)
    assert supervisor.standings() == {"sleeper": Standing.DOWN, "other": Standing.UP}
    assert supervisor.pids()["sleeper"] == []

    supervisor.resume("sleeper")
    (after,) = supervisor.pids()["sleeper"]
    assert after != before
    assert is_alive(after)


def test_a_part_that_does_not_stop_is_killed_when_its_time_is_over(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    script = "trap '' TERM; touch deaf; while true; do sleep 0.05; done"
    supervisor.start(shell(tmp_path, "deaf", script, stop_limit_s=0.2, is_ready=(tmp_path / "deaf").exists))

    supervisor.halt("deaf")

    wait_until(lambda: not supervisor.pids()["deaf"], meanwhile=supervisor.tick)
    assert supervisor.restarts == {}


def test_one_copy_of_a_part_is_halted_by_its_label(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(*(shell(tmp_path, "worker", "exec sleep 60", copy=number) for number in (1, 2)))
    first, second = supervisor.pids()["worker"]

    supervisor.halt("worker-2", at_once=True)
    wait_until(lambda: supervisor.pids()["worker"] == [first], meanwhile=supervisor.tick)

    assert is_alive(first)
    assert not is_alive(second)


def test_a_fenced_part_is_gone_at_once_and_is_not_resumed(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(shell(tmp_path, "leader", "trap '' TERM INT; while true; do sleep 0.05; done"))
    (pid,) = supervisor.pids()["leader"][:1]

    supervisor.fence("leader")

    assert not is_alive(pid)
    with pytest.raises(FencedError, match="leader is fenced: only a rebuild may start it again"):
        supervisor.resume("leader")
    for _tick in range(20):
        supervisor.tick()
    assert supervisor.pids()["leader"] == []
    supervisor.lift("leader")
    assert supervisor.standings() == {"leader": Standing.UP}
    assert supervisor.pids()["leader"] != []


def test_a_part_that_waits_for_its_restart_can_be_fenced(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(shell(tmp_path, "leader", "exec sleep 60"))
    os.kill(supervisor.pids()["leader"][0], signal.SIGKILL)
    wait_until(lambda: not supervisor.pids()["leader"])
    supervisor.tick()

    supervisor.fence("leader")
    # The first restart is due within 0.1 s of the end.
    over = time.monotonic() + 0.3
    wait_until(lambda: time.monotonic() > over, meanwhile=supervisor.tick)

    assert supervisor.pids()["leader"] == []
    assert supervisor.restarts == {}


def test_an_unknown_part_is_said_to_be_unknown(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(shell(tmp_path, "sleeper", "exec sleep 60"))

    with pytest.raises(UnknownPartError, match=r"There is no part worker. There are: sleeper\."):
        supervisor.halt("worker")


def test_a_log_that_is_too_long_is_cut_and_kept_once(supervisor: Supervisor, tmp_path: Path) -> None:
    log = tmp_path / "logs" / "sleeper.log"
    supervisor.start(shell(tmp_path, "sleeper", "exec sleep 60"))
    log.write_bytes(b"x" * (LOG_BYTES_MAX + 1))

    supervisor.bound_logs()

    assert log.stat().st_size == 0
    assert (tmp_path / "logs" / "sleeper.log.1").stat().st_size == LOG_BYTES_MAX + 1
