"""Of two servers, which leads and which follows: clone, promote."""

import shutil

import psycopg

from config.stack.errors import StackError
from config.stack.leftovers import clear_leftovers
from config.stack.ports import LOOPBACK
from config.stack.postgres import REPLICATION_ROLE, SLOT, Server, run_program, unfinished
from config.stack.probes import PROBE_LIMIT_S

# Promoting took 0.1 s here; a replica that has much to replay needs longer.
_PROMOTION_LIMIT_S = 30


def reload(server: Server) -> None:
    """Let the running server read its configuration again."""
    with psycopg.connect(server.superuser_url, autocommit=True) as connection:
        connection.execute("SELECT pg_reload_conf()")


def promote(replica: Server) -> None:
    """Make a primary of the running replica; return when it takes writes. Raises StackError.

    Its primary must be fenced by then, or there are two.
    """
    try:
        with psycopg.connect(
            replica.superuser_url, autocommit=True, connect_timeout=PROBE_LIMIT_S
        ) as connection:
            row = connection.execute("SELECT pg_promote(true, %s)", [_PROMOTION_LIMIT_S]).fetchone()
    except psycopg.Error as error:
        raise StackError(f"{replica.name} cannot be promoted: {error}") from error
    if row != (True,):
        raise StackError(f"{replica.name} was not promoted within {_PROMOTION_LIMIT_S} s.")


def follows_closely(replica: Server) -> bool:
    """Tell whether the server answers and is a replica."""
    try:
        with psycopg.connect(replica.superuser_url, connect_timeout=PROBE_LIMIT_S) as connection:
            return connection.execute("SELECT pg_is_in_recovery()").fetchone() == (True,)
    except psycopg.Error:
        return False


def clone(primary: Server, *, replica: Server, anew: bool = False) -> None:
    """Make the data directory of `replica` from the running primary, unless it can still follow.

    `anew` makes it in any case: what was a primary has a history of its own.
    """
    if not anew and replica.is_initialized and _can_follow(primary):
        return
    clear_leftovers(replica.directory)
    with psycopg.connect(primary.superuser_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s",
            [SLOT],
        )
    shutil.rmtree(replica.directory, ignore_errors=True)
    address = f"host={LOOPBACK} port={primary.port} user={REPLICATION_ROLE}"
    with unfinished(replica) as directory:
        run_program(
            replica, replica.programs.pg_basebackup, "-d", address, "-D", directory,
            "-X", "stream", "-C", "-S", SLOT, "--checkpoint=fast", "--no-sync",
            PGPASSWORD=primary.passwords.replication,
        )  # fmt: skip
        signal_file = directory / "standby.signal"
        signal_file.touch(mode=0o600)
        replica.account.own(signal_file)


def _can_follow(primary: Server) -> bool:
    with psycopg.connect(primary.superuser_url) as connection:
        row = connection.execute(
            "SELECT wal_status FROM pg_replication_slots WHERE slot_name = %s", [SLOT]
        ).fetchone()
    return row is not None and row[0] in ("reserved", "extended")
