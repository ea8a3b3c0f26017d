"""PgBouncer in transaction mode, between the processes and the servers.

A client has a server's connection for one transaction only. So nothing of a session may matter: no SET, no
LISTEN, no session lock, no prepared statement, no cursor that outlives its transaction (docs/operations.md).
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from config.stack.account import Account
from config.stack.part import Part
from config.stack.ports import LOOPBACK
from config.stack.probes import postgres_answers

# Connections to each server; the clients have up to `_CLIENTS_MAX` to PgBouncer.
_SERVERS_MAX = 20
_CLIENTS_MAX = 400
# Shorter than the 10 s that a web client waits.
_WAIT_S_MAX = 5

_CONFIGURATION = """\
[databases]
{databases}

[pgbouncer]
listen_addr = {host}
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {directory}/users.txt
pool_mode = transaction
default_pool_size = {servers_max}
max_client_conn = {clients_max}
query_wait_timeout = {wait_s_max}
server_connect_timeout = 2
server_login_retry = 1
"""


@dataclass(frozen=True)
class PgBouncer:
    """`servers`: by the name that clients ask for, the address of the server that answers."""

    directory: Path
    port: int
    account: Account
    program: Path
    servers: Mapping[str, str]

    def url(self, name: str) -> str:
        """Return the address of one of `servers` through the pooler."""
        direct = conninfo_to_dict(self.servers[name])
        return f"postgresql://{direct['user']}:{direct['password']}@{LOOPBACK}:{self.port}/{name}"


def find_program() -> Path | None:
    """Return where PgBouncer is installed, if it is."""
    found = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
    return None if found is None else Path(found)


def part_of(pooler: PgBouncer) -> Part:
    """Write the configuration (passwords must not show in `ps`) and return the part."""
    pooler.account.make_directory(pooler.directory)
    users = {
        str(address["user"]): str(address["password"])
        for address in map(conninfo_to_dict, pooler.servers.values())
    }
    _write(pooler, "users.txt", "".join(f'"{name}" "{password}"\n' for name, password in users.items()))
    _write(
        pooler,
        "pgbouncer.ini",
        _CONFIGURATION.format(
            databases="\n".join(_database(name, url) for name, url in pooler.servers.items()),
            host=LOOPBACK,
            port=pooler.port,
            directory=pooler.directory,
            servers_max=_SERVERS_MAX,
            clients_max=_CLIENTS_MAX,
            wait_s_max=_WAIT_S_MAX,
        ),
    )
    return Part(
        name="pgbouncer",
        command=(str(pooler.program), str(pooler.directory / "pgbouncer.ini")),
        directory=pooler.directory,
        account=pooler.account,
        is_ready=postgres_answers(pooler.url(next(iter(pooler.servers)))),
    )


def _database(name: str, url: str) -> str:
    address = conninfo_to_dict(url)
    return f"{name} = host={address['host']} port={address['port']} dbname={address['dbname']}"


def _write(pooler: PgBouncer, name: str, text: str) -> None:
    path = pooler.directory / name
    path.touch(mode=0o600)
    pooler.account.own(path)
    path.write_text(text)
