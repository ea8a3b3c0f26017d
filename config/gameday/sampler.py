"""What is looked at beside the requests: figures of the database, the proxy, the kernel, and probes."""

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
import psycopg

from config.gameday.client import Client
from config.gameday.seen import REDUCED, Request, Sample
from config.gameday.stage import Stage
from config.stack.errors import StackError

_EVERY_S = 1.0
_PROBES_EVERY_S = 0.1
_PROBES = ("livez", "readyz")
# A load balancer gives up after about this.
_PROBE_LIMIT_S = 2.0
# As many as can hang at a time.
_PROBERS = round(len(_PROBES) * _PROBE_LIMIT_S / _PROBES_EVERY_S)
# Ended or not is all that a backlog needs to know; the status is what people ask for.
_ORDERS = "SELECT status, count(*) FROM orders_order GROUP BY status"
_SAGAS = """
    SELECT count(*) FILTER (WHERE status IN ('running', 'compensating')),
           coalesce(extract(epoch FROM now() - min(due_at)
                    FILTER (WHERE status IN ('running', 'compensating') AND due_at < now())), 0)
    FROM resilience_saga
"""


@dataclass
class Sampler:
    """Looks from threads of its own, since what hangs must not stop the others; use as a context manager."""

    stage: Stage
    began_at: float
    samples: list[Sample] = field(default_factory=list)
    probes: list[Request] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)
    _prober: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(_PROBERS))

    def __enter__(self) -> "Sampler":
        told = self.stage.told
        client = Client(url=told["web"]["url"], api_key=told["api_key"], timeout_s=_PROBE_LIMIT_S)
        looks = (self._database, self._proxy, self._kernel, partial(self._health, client))
        for look in looks:
            self._begin(partial(self._sample, look), every_s=_EVERY_S)
        for path in _PROBES:
            # Each in a thread of its own: one that hangs must not hide how the next would fare.
            ask = partial(self._prober.submit, self._probe, client, path)
            self._begin(ask, every_s=_PROBES_EVERY_S)
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            # One that a frozen server holds ends with it.
            thread.join(timeout=_PROBE_LIMIT_S)
        self._prober.shutdown()

    def _begin(self, act: Callable[[], object], *, every_s: float) -> None:
        def again() -> None:
            while not self._stopping.wait(every_s):
                act()

        thread = threading.Thread(target=again, name="sampler", daemon=True)
        thread.start()
        self._threads.append(thread)

    def _sample(self, look: Callable[[], Mapping[str, float]]) -> None:
        # What is away is not sampled; the gap shows in the plot.
        with contextlib.suppress(psycopg.Error, httpx.HTTPError, StackError, OSError, ValueError):
            values = look()
            self.samples.append(Sample(time.monotonic() - self.began_at, values))

    def _probe(self, client: Client, path: str) -> None:
        due_s = time.monotonic() - self.began_at
        reply = client.send("GET", f"/{path}")
        self.probes.append(Request(path, due_s, time.monotonic() - self.began_at - due_s, reply.status))

    def _database(self) -> Mapping[str, float]:
        with self.stage.leader() as connection:
            statuses = {status: float(count) for status, count in connection.execute(_ORDERS)}
            active, age_s = connection.execute(_SAGAS).fetchone() or (0, 0)
        ended = statuses.get("confirmed", 0.0) + statuses.get("cancelled", 0.0)
        return {
            **statuses,
            "placed": sum(statuses.values()),
            "open": sum(statuses.values()) - ended,
            "sagas": float(active),
            "oldest_due_s": float(age_s),
        }

    def _proxy(self) -> Mapping[str, float]:
        if self.stage.told["proxy"] is None:
            return {}
        routes = self.stage.proxy.routes()
        return {f"connections {name}": float(route["connections"]) for name, route in routes.items()}

    def _health(self, client: Client) -> Mapping[str, float]:
        """What the platform itself says is reduced."""
        document = client.send("GET", "/healthz").document
        reduced = document.get("reduced", []) if isinstance(document, dict) else []
        return {f"{REDUCED}{one['part']}": 1.0 for one in reduced}

    def _kernel(self) -> Mapping[str, float]:
        """Connections that nobody accepted, of this whole machine: the only count of refused calls."""
        names, counts = (
            line.split()
            for line in Path("/proc/net/snmp").read_text().splitlines()
            if line.startswith("Tcp:")
        )
        return {"refused_connects": float(counts[names.index("AttemptFails")])}
