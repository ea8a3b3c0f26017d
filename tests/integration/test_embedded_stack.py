"""`manage.py up` as a person runs it, in a folder of its own: it heals, refuses a twin, leaves nothing."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from config.stack.servers import PRIMARY, Addresses
from tests.harness import FOLDER
from tests.processes import is_alive, wait_until

# Starting everything takes about 10 s here, and more while other work runs.
START_LIMIT_S = 90
STOP_LIMIT_S = 30


class StackFolder:
    """A copy of the code, with its own `.holdfast`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running: subprocess.Popen[bytes] | None = None

    @property
    def state_file(self) -> Path:
        return self.folder / ".holdfast" / "stack.json"

    def state(self) -> dict[str, Any]:
        return json.loads(self.state_file.read_text())

    def pids(self) -> list[int]:
        return [pid for pids in self.state()["processes"].values() for pid in pids]

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._command(*arguments),
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=START_LIMIT_S,
            check=False,
        )

    def ensure_running(self) -> None:
        if self._running is not None and self._running.poll() is None:
            return
        with (self.folder / "up.log").open("wb") as log:
            self._running = subprocess.Popen(
                self._command("up", "--no-demo", "--workers", "1"),
                cwd=self.folder,
                env=self._environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        wait_until(self._is_up_or_ended, limit_s=START_LIMIT_S)
        assert self._running.poll() is None, (self.folder / "up.log").read_text()

    def kill_supervisor(self) -> None:
        assert self._running is not None
        self._running.kill()
        self._running.wait()

    def ask_to_stop(self, number: signal.Signals) -> int:
        assert self._running is not None
        self._running.send_signal(number)
        return self._running.wait(STOP_LIMIT_S)

    def _is_up_or_ended(self) -> bool:
        assert self._running is not None
        return self._running.poll() is not None or self._says_processes_of_this_run()

    def _says_processes_of_this_run(self) -> bool:
        # A killed stack leaves its file behind.
        with contextlib.suppress(FileNotFoundError):
            return all(is_alive(pid) for pid in self.pids())
        return False

    def _command(self, *arguments: str) -> tuple[str, ...]:
        return (sys.executable, "manage.py", *arguments)

    def _environment(self) -> dict[str, str]:
        """Without this session's servers, which a stack of its own must not need."""
        return {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}


@pytest.fixture(scope="module")
def folder() -> Iterator[StackFolder]:
    # Not pytest's directory, which only its user may enter: root's servers, which run as nobody,
    # would then keep their data elsewhere (config/stack/account.py) and leave it there.
    with tempfile.TemporaryDirectory(prefix="holdfast-stack-") as place:
        Path(place).chmod(0o711)
        copy = Path(place) / "holdfast"
        shutil.copytree(
            FOLDER, copy, ignore=shutil.ignore_patterns(".*", "__pycache__", "tests", "docs", "benchmarks")
        )
        folder = StackFolder(copy)
        yield folder
        folder.manage("down")


@pytest.fixture
def stack(folder: StackFolder) -> StackFolder:
    folder.ensure_running()
    return folder


def test_a_row_written_on_the_primary_is_seen_on_the_replica(pg: Addresses) -> None:
    with (
        psycopg.connect(pg.primary, autocommit=True) as primary,
        psycopg.connect(pg.replica, autocommit=True) as replica,
    ):
        primary.execute("CREATE TABLE told (what text)")
        primary.execute("INSERT INTO told VALUES ('once')")
        position = primary.execute("SELECT pg_current_wal_lsn()").fetchone()
        wait_until(
            lambda: replica.execute("SELECT pg_last_wal_replay_lsn() >= %s", position).fetchone() == (True,)
        )

        seen = replica.execute("SELECT what, pg_is_in_recovery() FROM told").fetchall()
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            replica.execute("DELETE FROM told")
        primary.execute("DROP TABLE told")

    assert seen == [("once", True)]


def test_the_application_role_is_limited(pg: Addresses) -> None:
    with psycopg.connect(pg.primary) as connection:
        settings = connection.execute(
            "SELECT current_setting('timezone'), current_setting('statement_timeout'),"
            " current_setting('lock_timeout'), current_setting('idle_in_transaction_session_timeout'),"
            " rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication"
            " FROM pg_roles WHERE rolname = current_user"
        ).fetchone()

    assert settings == ("UTC", "5s", "2s", "5s", False)


def test_a_password_is_asked_for(pg: Addresses) -> None:
    address = pg.primary.replace("holdfast:", "holdfast:not-", 1)

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(address)


def test_the_state_file_says_how_to_use_the_stack(stack: StackFolder) -> None:
    state = stack.state()

    assert stack.state_file.stat().st_mode & 0o777 == 0o600
    assert set(state["processes"]) == {
        "web", "worker", "dispatcher", "subscriber", "sender", "exporter", "beat", "sandbox", "redis",
        "postgres-primary", "postgres-replica",
    }  # fmt: skip
    assert len(state["processes"]["web"]) == 3
    assert httpx.get(f"{state['web']['url']}/readyz").status_code == 200
    assert httpx.get(f"{state['sandboxes'][0]['url']}/_health").status_code == 200
    assert httpx.get(f"{state['web']['url']}/static/admin/css/base.css").status_code == 200


def test_what_each_sandbox_tells_is_taken_and_handled(stack: StackFolder) -> None:
    state = stack.state()
    for one in state["sandboxes"]:
        charge = {"amount": "1299", "currency": "eur", "payment_method": "pm_card_visa", "confirm": "true"}
        authorization = {"Authorization": f"Bearer {one['secret_key']}"}
        answer = httpx.post(f"{one['url']}/v1/payment_intents", data=charge, headers=authorization)
        assert answer.status_code == 200, answer.text

    with psycopg.connect(state["databases"]["primary"], autocommit=True) as connection:
        wait_until(
            lambda: (
                set(connection.execute("SELECT DISTINCT gateway, status FROM payments_gateway_notice"))
                == {("sandbox-1", "waiting"), ("sandbox-2", "waiting")}
            )
        )


def test_management_commands_find_the_stack_by_themselves(stack: StackFolder) -> None:
    answer = stack.manage("migrate", "--check")

    assert (answer.returncode, answer.stderr) == (0, "")


def test_a_second_start_in_the_folder_is_refused(stack: StackFolder) -> None:
    url = stack.state()["web"]["url"]

    answer = stack.manage("up")

    assert answer.returncode == 1
    assert f"running in this folder already: {url}" in answer.stderr


def test_a_killed_primary_comes_back_with_what_was_committed(stack: StackFolder) -> None:
    state = stack.state()
    (before,) = state["processes"][PRIMARY]
    with psycopg.connect(state["databases"]["primary"], autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (what text)")
        connection.execute("INSERT INTO kept VALUES ('committed')")

        os.kill(before, signal.SIGKILL)
        wait_until(lambda: stack.state()["processes"][PRIMARY] not in ([], [before]))

    wait_until(lambda: rows_kept(state) == [("committed",)])
    wait_until(lambda: httpx.get(f"{state['web']['url']}/readyz").status_code == 200)


def rows_kept(state: dict[str, Any]) -> list[tuple[str]] | None:
    """Return the rows that were committed before; None while the primary does not answer."""
    try:
        with psycopg.connect(state["databases"]["primary"]) as connection:
            return connection.execute("SELECT what FROM kept").fetchall()
    except psycopg.OperationalError:
        return None


def test_a_killed_supervisor_leaves_no_process(stack: StackFolder) -> None:
    pids = stack.pids()

    stack.kill_supervisor()

    wait_until(lambda: not any(is_alive(pid) for pid in pids))
    answer = stack.manage("down")
    assert answer.stdout == "No stack is running in this folder.\n"


def test_ctrl_c_leaves_no_process_and_no_state_file(stack: StackFolder) -> None:
    pids = stack.pids()

    exit_code = stack.ask_to_stop(signal.SIGINT)

    assert exit_code == 0
    assert [pid for pid in pids if is_alive(pid)] == []
    assert not stack.state_file.exists()
