"""PostgreSQL 18: a primary and a streaming replica, each in its own data directory.

Durable as in production: fsync and synchronous_commit stay on unless a test's tuning says otherwise.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from config.stack import roles
from config.stack.account import Account
from config.stack.errors import StackError
from config.stack.part import Part
from config.stack.ports import LOOPBACK
from config.stack.probes import postgres_answers
from config.stack.programs import Programs

DATABASE = "holdfast"
APPLICATION_ROLE = roles.APPLICATION
_REPLICATION_ROLE = "replicator"
_SUPERUSER = "postgres"
_SLOT = "replica"

# Before a start, processes that a killed postmaster left behind get this long to notice it.
_LEFTOVERS_LIMIT_S = 5.0
_LEFTOVERS_PAUSE_S = 0.02


@dataclass(frozen=True)
class Tuning:
    """What differs between the stack and a test's throw-away cluster."""

    shared_buffers: str = "256MB"
    fsync: bool = True


@dataclass(frozen=True)
class Passwords:
    superuser: str
    replication: str
    application: str


@dataclass(frozen=True)
class Server:
    """One PostgreSQL server, running or not."""

    name: str
    directory: Path
    port: int
    account: Account
    programs: Programs
    passwords: Passwords
    tuning: Tuning

    @property
    def url(self) -> str:
        """The address for the application, whose role owns the database and is no superuser."""
        return (
            f"postgresql://{APPLICATION_ROLE}:{self.passwords.application}@{LOOPBACK}:{self.port}/{DATABASE}"
        )

    @property
    def superuser_url(self) -> str:
        return f"postgresql://{_SUPERUSER}:{self.passwords.superuser}@{LOOPBACK}:{self.port}/postgres"

    @property
    def is_initialized(self) -> bool:
        return (self.directory / "PG_VERSION").exists()


def part_of(server: Server) -> Part:
    """Return the part that runs `server`, whose data directory is initialized."""
    return Part(
        name=server.name,
        command=(str(server.programs.postgres), "-D", str(server.directory)),
        directory=server.directory,
        account=server.account,
        prepare=lambda: _clear_leftovers(server.directory),
        is_ready=postgres_answers(server.superuser_url),
        # Replaying the log of a crash may take long.
        ready_limit_s=120.0,
        # SIGINT is a fast shutdown: sessions are ended, data is written.
        stop_signal=signal.SIGINT,
        stop_limit_s=30.0,
        orphan_signal=signal.SIGINT,
    )


def initialize(server: Server) -> None:
    """Create the data directory of a primary, unless it is there."""
    if server.is_initialized:
        return
    with _unfinished(server) as directory, tempfile.NamedTemporaryFile("w", suffix=".password") as password:
        password.write(server.passwords.superuser)
        password.flush()
        server.account.own(Path(password.name))
        command = (server.programs.initdb, "-D", directory, "-U", _SUPERUSER, "--pwfile", password.name)
        # Locale C.UTF-8 is built into PostgreSQL: the order of text does not depend on the machine.
        _run(
            server, *command, "-A", "scram-sha-256", "-E", "UTF8", "--no-sync",
            "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
        )  # fmt: skip


def configure(server: Server, *, follows: Server | None = None) -> None:
    """Write the configuration of a primary, or of a replica that `follows` one."""
    settings = {
        "listen_addresses": LOOPBACK,
        "port": str(server.port),
        "unix_socket_directories": "",
        "max_connections": "200",
        "shared_buffers": server.tuning.shared_buffers,
        "fsync": "on" if server.tuning.fsync else "off",
        "synchronous_commit": "on",
        "wal_level": "replica",
        "hot_standby": "on",
        # A query on the replica holds back clean-up on the primary rather than being cancelled.
        "hot_standby_feedback": "on",
        # A replica that is away must not fill the disk: beyond this it is built anew.
        "max_slot_wal_keep_size": "1GB",
        "wal_receiver_status_interval": "1s",
        "wal_retrieve_retry_interval": "200ms",
        # Queries here are short; compiling them costs more than it gains.
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_line_prefix": "%m [%p] %q%u ",
        "log_lock_waits": "on",
    }
    if follows is not None:
        settings["primary_slot_name"] = _SLOT
        settings["primary_conninfo"] = (
            f"host={LOOPBACK} port={follows.port} user={_REPLICATION_ROLE} "
            f"password={follows.passwords.replication} application_name={server.name}"
        )
    path = server.directory / "postgresql.conf"
    path.write_text("".join(f"{name} = '{value}'\n" for name, value in settings.items()))
    path.chmod(0o600)
    server.account.own(path)


def provision(primary: Server) -> None:
    """Create roles and database on the running primary, and set what may have changed since."""
    with psycopg.connect(primary.superuser_url, autocommit=True) as connection:
        roles.ensure_role(connection, _REPLICATION_ROLE, "LOGIN REPLICATION", primary.passwords.replication)
        roles.provision_roles(connection, password=primary.passwords.application)
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
            statement = sql.SQL("CREATE DATABASE {} OWNER {}")
            connection.execute(statement.format(sql.Identifier(DATABASE), sql.Identifier(APPLICATION_ROLE)))


def clone(primary: Server, *, replica: Server) -> None:
    """Make the data directory of `replica` from the running primary, unless it can still follow."""
    if replica.is_initialized and _can_follow(primary):
        return
    _clear_leftovers(replica.directory)
    with psycopg.connect(primary.superuser_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s",
            [_SLOT],
        )
    shutil.rmtree(replica.directory, ignore_errors=True)
    address = f"host={LOOPBACK} port={primary.port} user={_REPLICATION_ROLE}"
    with _unfinished(replica) as directory:
        _run(
            replica, replica.programs.pg_basebackup, "-d", address, "-D", directory,
            "-X", "stream", "-C", "-S", _SLOT, "--checkpoint=fast", "--no-sync",
            PGPASSWORD=primary.passwords.replication,
        )  # fmt: skip
        signal_file = directory / "standby.signal"
        signal_file.touch(mode=0o600)
        replica.account.own(signal_file)


def _can_follow(primary: Server) -> bool:
    with psycopg.connect(primary.superuser_url) as connection:
        row = connection.execute(
            "SELECT wal_status FROM pg_replication_slots WHERE slot_name = %s", [_SLOT]
        ).fetchone()
    return row is not None and row[0] in ("reserved", "extended")


@contextlib.contextmanager
def _unfinished(server: Server) -> Iterator[Path]:
    """Lend an empty directory that becomes the data directory when the block ends well.

    So an interrupted initialization is never taken for a finished one.
    """
    directory = server.directory.with_name(f"{server.directory.name}.unfinished")
    shutil.rmtree(directory, ignore_errors=True)
    server.account.make_directory(directory)
    yield directory
    directory.rename(server.directory)


def _run(server: Server, *command: str | Path, **environment: str) -> None:
    answer = subprocess.run(
        command,
        cwd=server.directory.parent,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        **server.account.popen_arguments,
    )
    if answer.returncode != 0:
        raise StackError(f"{Path(command[0]).name} of {server.name} failed: {answer.stderr.strip()}")


def _clear_leftovers(directory: Path) -> None:
    """Wait for, then kill, processes of a dead postmaster, and remove its lock file.

    They hold the shared memory, without which a new postmaster does not start. The lock file would
    stop it as well, if the process id in it belongs to somebody else by now.
    """
    deadline = time.monotonic() + _LEFTOVERS_LIMIT_S
    while leftovers := _processes_working_in(directory):
        if time.monotonic() > deadline:
            for pid in leftovers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            deadline += _LEFTOVERS_LIMIT_S
        time.sleep(_LEFTOVERS_PAUSE_S)
    (directory / "postmaster.pid").unlink(missing_ok=True)


def _processes_working_in(directory: Path) -> list[int]:
    """Return the processes whose working directory is `directory`; none where there is no /proc."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (entry / "cwd").readlink() == directory:
                found.append(int(entry.name))
    return found
