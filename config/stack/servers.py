"""The three servers of the stack: PostgreSQL primary, its streaming replica, Redis."""

import secrets
from dataclasses import dataclass, field
from pathlib import Path

from config.stack import postgres, redis_server
from config.stack.account import reachable_directory, server_account
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


def start_servers(
    *,
    supervisor: Supervisor,
    directory: Path,
    ports: ServerPorts,
    server_secrets: ServerSecrets,
    tuning: Tuning,
) -> Addresses:
    """Start the servers with their data in `directory`, which is created or continued."""
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

    primary = server(PRIMARY, ports.primary)
    postgres.initialize(primary)
    postgres.configure(primary)
    supervisor.start(postgres.part_of(primary))
    postgres.provision(primary)

    replica = server(REPLICA, ports.replica)
    postgres.clone(primary, replica=replica)
    postgres.configure(replica, follows=primary)
    supervisor.start(postgres.part_of(replica))

    redis = redis_server.RedisServer(
        directory=place / REDIS,
        port=ports.redis,
        account=account,
        program=programs.redis_server,
        password=server_secrets.redis,
    )
    supervisor.start(redis_server.part_of(redis))
    return Addresses(
        primary=primary.url, replica=replica.url, redis=redis.url, superuser=primary.superuser_url
    )
