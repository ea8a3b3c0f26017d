"""What all contenders share: real servers with durable writes, one gateway, one schema.

Nothing of it is a contender's own, so that two figures of one run differ by the contenders alone.
"""

import json
import os
import secrets
import shutil
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Protocol

from config.stack import setup
from config.stack.part import Part
from config.stack.ports import LOOPBACK, pick_port
from config.stack.postgres import Tuning
from config.stack.probes import http_answers
from config.stack.servers import PRIMARY, Addresses, ServerPorts, ServerSecrets, start_servers
from config.stack.supervisor import Supervisor

FOLDER = Path(__file__).resolve().parent.parent
GATEWAY_NAME = "benchmark"
GATEWAY = "gateway"


@dataclass(frozen=True)
class Book:
    """What the gateway has seen since it was last reset."""

    authorized: int
    captured: int


class Gateway(Protocol):
    """Whom the contenders ask for money, as the benchmark sees it."""

    def begin(self, *, latency_ms: int) -> None:
        """Begin an empty book and answer after `latency_ms` from now on."""

    def book(self) -> Book:
        """Return what happened since."""


@dataclass(frozen=True)
class FastGateway:
    """The fast gateway (`benchmarks.gateway`), as a client."""

    url: str

    def begin(self, *, latency_ms: int) -> None:
        self._ask("POST", f"/_book?latency_ms={latency_ms}")

    def book(self) -> Book:
        answer = self._ask("GET", "/_book")
        return Book(authorized=answer["authorized"], captured=answer["captured"])

    def _ask(self, method: str, path: str) -> Mapping[str, int]:
        request = urllib.request.Request(self.url + path, method=method)
        with urllib.request.urlopen(request, timeout=5) as answer:
            book: Mapping[str, int] = json.load(answer)
            return book


@dataclass(frozen=True)
class Stage:
    """The servers and the environment that finds them."""

    directory: Path
    addresses: Addresses
    gateway: Gateway
    environment: Mapping[str, str]
    supervisor: Supervisor

    @property
    def logs(self) -> Path:
        return self.directory / "logs"

    @property
    def primary_log(self) -> Path:
        return self.logs / f"{PRIMARY}.log"

    def server_pids(self) -> Mapping[str, Sequence[int]]:
        """Return the processes of the servers and the gateway, by part."""
        return self.supervisor.pids()

    @contextmanager
    def crew(self, *parts: Part) -> Iterator[Supervisor]:
        """Run a contender's processes for the length of the block."""
        supervisor = _supervisor(self.logs)
        try:
            supervisor.start(*parts)
            yield supervisor
        finally:
            supervisor.stop(())


@contextmanager
def open_stage() -> Iterator[Stage]:
    """Start servers and gateway in a temporary directory, migrate, and let Django find them.

    Call it before anything reads the settings: the environment of this process is set here.
    """
    directory = Path(tempfile.mkdtemp(prefix="holdfast-benchmark-"))
    # PostgreSQL runs as somebody else when we are root.
    directory.chmod(0o711)
    supervisor = _supervisor(directory / "logs")
    try:
        addresses = _servers(directory, supervisor)
        stage = stage_on(addresses, directory=directory, supervisor=supervisor)
        os.environ.update(stage.environment)
        setup.migrate(folder=FOLDER, log=stage.logs / "setup.log", environment=stage.environment)
        yield stage
    finally:
        supervisor.stop(())
        shutil.rmtree(directory, ignore_errors=True)


def gateways_setting(name: str, url: str, secret_key: str) -> str:
    """Return HOLDFAST_GATEWAYS for one account."""
    return json.dumps([{"name": name, "url": url, "secret_key": secret_key}])


def stage_on(addresses: Addresses, *, directory: Path, supervisor: Supervisor) -> Stage:
    """Start the fast gateway beside running servers."""
    port = pick_port(random=Random())
    supervisor.start(
        Part(
            name=GATEWAY,
            command=(sys.executable, "-m", "benchmarks.gateway", "--port", str(port)),
            directory=FOLDER,
            is_ready=http_answers(port, "/_book"),
        )
    )
    gateway = FastGateway(f"http://{LOOPBACK}:{port}")
    environment = {
        "HOLDFAST_DATABASE_URL": addresses.primary,
        "HOLDFAST_REPLICA_URL": addresses.replica,
        "HOLDFAST_REDIS_URL": addresses.redis,
        "HOLDFAST_GATEWAYS": gateways_setting(GATEWAY_NAME, gateway.url, "sk_test_benchmark"),
        "HOLDFAST_SECRET_KEY": secrets.token_hex(32),
        "HOLDFAST_LOG_LEVEL": "WARNING",
        "HOLDFAST_DB_POOL_SIZE_MAX": "0",
    }
    return Stage(directory, addresses, gateway, environment, supervisor)


def _servers(directory: Path, supervisor: Supervisor) -> Addresses:
    random = Random()
    return start_servers(
        supervisor=supervisor,
        directory=directory / "data",
        ports=ServerPorts(*(pick_port(random=random) for _server in range(3))),
        server_secrets=ServerSecrets(),
        tuning=Tuning(),
    )


def _supervisor(logs: Path) -> Supervisor:
    return Supervisor(logs=logs, random=Random(), checkpoint=_go_on, progress=_say_nothing, report=print)


def _go_on() -> None:
    """Ctrl-C raises KeyboardInterrupt, which is all that has to be done."""


def _say_nothing(_part: str) -> None:
    """What takes long says so itself."""
