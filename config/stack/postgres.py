"""PostgreSQL 18: a primary and a streaming replica, each in its own data directory.

Durable as in production: fsync and synchronous_commit stay on unless a test's tuning says otherwise.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from config.stack import roles
from config.stack.account import Account
from config.stack.errors import StackError
from config.stack.leftovers import clear_leftovers
from config.stack.part import Part
from config.stack.ports import LOOPBACK
from config.stack.probes import postgres_answers
from config.stack.programs import Programs

DATABASE = "holdfast"
APPLICATION_ROLE = roles.APPLICATION
REPLICATION_ROLE = "replicator"
_SUPERUSER = "postgres"
SLOT = "replica"


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
    def is_standby(self) -> bool:
        """Tell whether it was following when it ran last; promoting ends that."""
        return (self.directory / "standby.signal").exists()

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
        prepare=lambda: clear_leftovers(server.directory),
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
    with unfinished(server) as directory, tempfile.NamedTemporaryFile("w", suffix=".password") as password:
        password.write(server.passwords.superuser)
        password.flush()
        server.account.own(Path(password.name))
        command = (server.programs.initdb, "-D", directory, "-U", _SUPERUSER, "--pwfile", password.name)
        # Locale C.UTF-8 is built into PostgreSQL: the order of text does not depend on the machine.
        run_program(
            server, *command, "-A", "scram-sha-256", "-E", "UTF8", "--no-sync",
            "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
        )  # fmt: skip


def application_url(*, password: str, ports: Sequence[int]) -> str:
    """Return an address of several servers. Who connects says which one is meant (config/databases.py)."""
    hosts = ",".join(f"{LOOPBACK}:{port}" for port in ports)
    return f"postgresql://{APPLICATION_ROLE}:{password}@{hosts}/{DATABASE}"


def configure(
    server: Server,
    *,
    follows: Server | None = None,
    stream_port: int | None = None,
    waits_for: Server | None = None,
) -> None:
    """Write the configuration of a primary, or of a replica that `follows` one.

    A replica streams from `stream_port`, or else from the port of whom it follows. A primary acknowledges
    a commit only when `waits_for` has it on its disk.
    """
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
        settings["primary_slot_name"] = SLOT
        settings["primary_conninfo"] = (
            f"host={LOOPBACK} port={stream_port or follows.port} user={REPLICATION_ROLE} "
            f"password={follows.passwords.replication} application_name={server.name}"
        )
    if waits_for is not None:
        settings["synchronous_standby_names"] = f'"{waits_for.name}"'
    path = server.directory / "postgresql.conf"
    path.write_text("".join(f"{name} = '{value}'\n" for name, value in settings.items()))
    path.chmod(0o600)
    server.account.own(path)


def provision(primary: Server) -> None:
    """Create roles and database on the running primary, and set what may have changed since."""
    with psycopg.connect(primary.superuser_url, autocommit=True) as connection:
        roles.ensure_role(connection, REPLICATION_ROLE, "LOGIN REPLICATION", primary.passwords.replication)
        roles.provision_roles(connection, password=primary.passwords.application)
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
            statement = sql.SQL("CREATE DATABASE {} OWNER {}")
            connection.execute(statement.format(sql.Identifier(DATABASE), sql.Identifier(APPLICATION_ROLE)))


@contextlib.contextmanager
def unfinished(server: Server) -> Iterator[Path]:
    """Lend an empty directory that becomes the data directory when the block ends well.

    So an interrupted initialization is never taken for a finished one.
    """
    directory = server.directory.with_name(f"{server.directory.name}.unfinished")
    shutil.rmtree(directory, ignore_errors=True)
    server.account.make_directory(directory)
    yield directory
    directory.rename(server.directory)


def run_program(server: Server, *command: str | Path, **environment: str) -> None:
    """Run a program of PostgreSQL as the server's account to its end; raises StackError when it fails."""
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
