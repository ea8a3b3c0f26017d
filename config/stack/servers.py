"""The three servers of the stack: PostgreSQL primary, its streaming replica, Redis."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from config.stack import postgres, redis_server
from config.stack.account import reachable_directory, server_account
from config.stack.cluster import Cluster
from config.stack.postgres import Passwords, Tuning
from config.stack.programs import find_programs
from config.stack.supervisor import Supervisor

PRIMARY = "postgres-primary"
REPLICA = "postgres-replica"
REDIS = "redis"


def _password() -> str:
    return secrets.token_urlsafe(24)


@dataclass(frozen=True)
class ServerPorts:
    primary: int
    replica: int
    redis: int


@dataclass(frozen=True)
class ServerSecrets:
    """Random unless they are given."""

    superuser: str = field(default_factory=_password)
    replication: str = field(default_factory=_password)
    application: str = field(default_factory=_password)
    redis: str = field(default_factory=_password)


@dataclass(frozen=True)
class Addresses:
    """Where the running servers answer."""

    primary: str
    replica: str
    redis: str
    superuser: str


@dataclass(frozen=True)
class Leadership:
    """Who leads, and how the follower reaches it; the defaults are those of a new folder without proxies."""

    leader: str = PRIMARY
    remember: Callable[[str], None] = lambda _leader: None
    stream_port: Callable[[postgres.Server, postgres.Server], int] = lambda _follower, leader: leader.port
    synchronous: bool = False


@dataclass(frozen=True)
class Servers:
    """The running servers."""

    cluster: Cluster
    redis: str

    @property
    def addresses(self) -> Addresses:
        """Where they answer now: a failover changes it."""
        leader = self.cluster.leader
        return Addresses(
            primary=leader.url,
            replica=self.cluster.follower.url,
            redis=self.redis,
            superuser=leader.superuser_url,
        )


def start_servers(
    *,
    supervisor: Supervisor,
    directory: Path,
    ports: ServerPorts,
    server_secrets: ServerSecrets,
    tuning: Tuning,
) -> Addresses:
    """Start the servers with their data in `directory`, which is created or continued."""
    servers = start_servers_led(
        supervisor=supervisor,
        directory=directory,
        ports=ports,
        server_secrets=server_secrets,
        tuning=tuning,
        leadership=Leadership(),
    )
    return servers.addresses


def start_servers_led(
    *,
    supervisor: Supervisor,
    directory: Path,
    ports: ServerPorts,
    server_secrets: ServerSecrets,
    tuning: Tuning,
    leadership: Leadership,
) -> Servers:
    """Start the servers as `start_servers` does, and return also what can change their roles."""
    account = server_account()
    place = reachable_directory(directory, account=account)
    programs = find_programs(account=account, copies=place)
    passwords = Passwords(
        superuser=server_secrets.superuser,
        replication=server_secrets.replication,
        application=server_secrets.application,
    )

    def server(name: str, port: int) -> postgres.Server:
        return postgres.Server(
            name=name,
            directory=place / name,
            port=port,
            account=account,
            programs=programs,
            passwords=passwords,
            tuning=tuning,
        )

    both = (server(PRIMARY, ports.primary), server(REPLICA, ports.replica))
    cluster = Cluster(
        servers=both,
        leader=next(one for one in both if one.name == leadership.leader),
        supervisor=supervisor,
        remember=leadership.remember,
        stream_port=leadership.stream_port,
        synchronous=leadership.synchronous,
    )
    cluster.start()
    redis = redis_server.RedisServer(
        directory=place / REDIS,
        port=ports.redis,
        account=account,
        program=programs.redis_server,
        password=server_secrets.redis,
    )
    supervisor.start(redis_server.part_of(redis))
    return Servers(cluster=cluster, redis=redis.url)
