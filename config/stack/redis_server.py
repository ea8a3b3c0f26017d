"""Redis (Valkey): the broker and the cache. Nothing of value lives there; it is kept anyway."""

import signal
from dataclasses import dataclass
from pathlib import Path

from config.stack.account import Account
from config.stack.part import Part
from config.stack.ports import LOOPBACK
from config.stack.probes import redis_answers

_CONFIGURATION = """\
bind {host}
port {port}
dir {directory}
requirepass {password}
appendonly yes
appendfsync everysec
save ""
# A broker that evicts loses messages in silence; one that refuses is noticed.
maxmemory-policy noeviction
"""


@dataclass(frozen=True)
class RedisServer:
    directory: Path
    port: int
    account: Account
    program: Path
    password: str

    @property
    def url(self) -> str:
        return address(password=self.password, port=self.port)


def address(*, password: str, port: int) -> str:
    """Return the URL of a server that answers, or seems to, at `port`."""
    return f"redis://:{password}@{LOOPBACK}:{port}"


def part_of(server: RedisServer) -> Part:
    """Write the configuration (the password must not show in `ps`) and return the part."""
    server.account.make_directory(server.directory)
    configuration = server.directory / "redis.conf"
    configuration.touch(mode=0o600)
    server.account.own(configuration)
    configuration.write_text(
        _CONFIGURATION.format(
            host=LOOPBACK, port=server.port, directory=server.directory, password=server.password
        )
    )
    return Part(
        name="redis",
        command=(str(server.program), str(configuration)),
        directory=server.directory,
        account=server.account,
        is_ready=redis_answers(server.url),
        orphan_signal=signal.SIGTERM,
    )
