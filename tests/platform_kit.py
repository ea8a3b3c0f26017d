"""The whole platform on servers of its own, its parts started as `make run` starts them."""

import os
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import httpx
import psycopg

from config.stack import platform, setup
from config.stack.ports import LOOPBACK, pick_port
from config.stack.postgres import DATABASE, Tuning
from config.stack.servers import Addresses, ServerPorts, ServerSecrets, start_servers
from config.stack.supervisor import Supervisor

FOLDER = Path(__file__).resolve().parent.parent
_TUNING = Tuning(shared_buffers="64MB")
_SKU = "TEA-SENCHA-100"
_CLIENT_TIMEOUT_S = 20.0


@dataclass
class Platform:
    """What runs, and how to get in."""

    supervisor: Supervisor
    addresses: Addresses
    url: str
    api_key: str
    environment: Mapping[str, str]

    def client(self) -> httpx.Client:
        """Return a client of the API."""
        headers = {"Authorization": f"Bearer {self.api_key}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=_CLIENT_TIMEOUT_S)

    def processes(self) -> dict[str, list[int]]:
        """Return the process ids of the platform's own parts, gunicorn's children included."""
        own = ("web", "worker", "dispatcher", "subscriber")
        return {name: pids for name, pids in self.supervisor.pids().items() if name in own}


@contextmanager
def servers() -> Iterator[tuple[Supervisor, Addresses]]:
    """Run a primary, its replica and a Redis of their own. They are not restarted."""
    directory = Path(tempfile.mkdtemp(prefix="holdfast-platform-"))
    # PostgreSQL runs as somebody else when we are root.
    directory.chmod(0o711)
    supervisor = Supervisor(
        logs=directory / "logs", random=Random(), checkpoint=int, progress=str, report=print
    )
    random = Random()
    try:
        yield (
            supervisor,
            start_servers(
                supervisor=supervisor,
                directory=directory / "data",
                ports=ServerPorts(*(pick_port(random=random) for _server in range(3))),
                server_secrets=ServerSecrets(),
                tuning=_TUNING,
            ),
        )
    finally:
        supervisor.stop([])
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def running_platform(
    directory: Path, *, database_urls: Callable[[Supervisor, Addresses], Mapping[str, str]]
) -> Iterator[Platform]:
    """Run everything; `database_urls` says where the processes find PostgreSQL."""
    with servers() as (supervisor, addresses):
        environment = {
            "HOLDFAST_REDIS_URL": addresses.redis,
            "HOLDFAST_GATEWAYS": os.environ["HOLDFAST_GATEWAYS"],
            "HOLDFAST_SECRET_KEY": secrets.token_hex(32),
            "HOLDFAST_LOG_LEVEL": "WARNING",
            "HOLDFAST_DB_POOL_SIZE_MAX": "0",
            "HOLDFAST_SAGA_LEASE_S": "3",
            "HOLDFAST_DATABASE_URL": _either(addresses.primary, addresses.replica, wants="read-write"),
            "HOLDFAST_REPLICA_URL": _either(addresses.replica, addresses.primary, wants="prefer-standby"),
            "PYTHONPATH": str(FOLDER),
        }
        # Start-up options (the migration's) do not pass a pooler.
        setup.migrate(folder=FOLDER, log=directory / "setup.log", environment=environment)
        environment |= database_urls(supervisor, addresses)
        way_in = setup.bootstrap(folder=FOLDER, log=directory / "setup.log", environment=environment)
        port = pick_port(random=Random())
        subscriber, dispatcher = sorted(
            (
                part
                for part in platform.daemon_parts(folder=FOLDER, environment=environment)
                if part.name in ("subscriber", "dispatcher")
            ),
            key=lambda part: part.name == "dispatcher",
        )
        supervisor.start(
            platform.web_part(folder=FOLDER, port=port, environment=environment),
            platform.worker_part(folder=FOLDER, copy=1, environment=environment),
            dispatcher,
            subscriber,
        )
        yield Platform(supervisor, addresses, f"http://{LOOPBACK}:{port}", way_in.api_key, environment)


def _either(first: str, second: str, *, wants: str) -> str:
    """Return an address of both servers."""
    (login, _, place), (_, _, other) = first.partition("@"), second.partition("@")
    hosts = f"{place.removesuffix(f'/{DATABASE}')},{other.removesuffix(f'/{DATABASE}')}"
    return f"{login}@{hosts}/{DATABASE}?target_session_attrs={wants}"


@dataclass
class Shoppers:
    """Place orders until stopped; each reads its own order at once, with the token that it was given."""

    platform: Platform
    count: int = 4
    # Monotonic seconds at which an order was accepted, and its id.
    accepted: list[tuple[float, str]] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    reads: int = 0
    _stopping: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Begin."""
        self._threads = [threading.Thread(target=self._shop) for _shopper in range(self.count)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Return when nobody shops any more."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def first_after(self, moment: float) -> float | None:
        """Return when the first order was accepted that was accepted after `moment`."""
        return min((at for at, _id in list(self.accepted) if at > moment), default=None)

    def _shop(self) -> None:
        with self.platform.client() as client:
            while not self._stopping.wait(0.03):
                self._order(client, key=uuid4().hex)

    def _order(self, client: httpx.Client, *, key: str) -> None:
        while not self._stopping.is_set():
            answer = _post(client, key)
            if answer is not None and answer.status_code == 201:
                order_id = answer.json()["id"]
                self.accepted.append((time.monotonic(), order_id))
                self._read(client, order_id, answer.headers["Consistency-Token"])
                again = _post(client, key)
                if again is not None and again.status_code == 201 and again.json()["id"] != order_id:
                    self.doubled.append(order_id)
                return
            if answer is not None and answer.status_code not in (409, 503):
                self.errors.append(f"{answer.status_code} {answer.text[:300]}")
            time.sleep(0.05)

    def _read(self, client: httpx.Client, order_id: str, token: str) -> None:
        try:
            found = client.get(f"/api/v1/orders/{order_id}", headers={"Consistency-Token": token})
        except httpx.TransportError:
            return
        if found.status_code == 200:
            self.reads += 1
        elif found.status_code != 503:
            self.unread.append(f"{order_id}: {found.status_code}")


def _post(client: httpx.Client, key: str) -> httpx.Response | None:
    try:
        return client.post("/api/v1/orders", json=_order(), headers={"Idempotency-Key": key})
    except httpx.TransportError:
        return None


def _order() -> dict[str, Any]:
    return {
        "customer": {"reference": "somebody"},
        "currency": "EUR",
        "lines": [{"sku": _SKU, "quantity": 1}],
        "payments": [{"method": "pm_card_visa"}],
    }


def rows(url: str, statement: str, *parameters: object) -> list[tuple]:
    """Ask a server."""
    with psycopg.connect(url, autocommit=True, connect_timeout=3) as connection:
        cursor = connection.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []
