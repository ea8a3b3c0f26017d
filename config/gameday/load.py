"""Orders, and reads of them, sent when they are due; each request is noted with what came of it."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from uuid import uuid4

from config.gameday.client import NO_ANSWER, Client, Reply
from config.gameday.schedule import Due, Kind, Stretch, due_requests
from config.gameday.seen import Request
from config.replay.crew import work_through

# Requests that hang hold a thread each for 10 s; at 50 requests/s into a black hole this suffices for
# half of that, and what comes late by it is counted from when it was due.
THREADS = 256
_SKUS = ("TEA-SENCHA-100", "TEA-ASSAM-250", "CUP-STONE-2", "TIN-BLACK-200")
# An order is read by its client soon after it was placed.
_READ_LATEST = 20
_TOKEN_HEADER = "Consistency-Token"  # noqa: S105 - no password
_CREATED = 201
# Of a request that was refused or not answered, sent again after all is over.
_RESEND_PAUSE_S = 0.5


@dataclass
class Load:
    """Places orders that can all be paid, under a key each. `began_at` is the monotonic time of its zero."""

    client: Client
    random: Random
    began_at: float = field(default_factory=time.monotonic)
    requests: list[Request] = field(default_factory=list)
    accepted: dict[str, str] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)
    _name: str = field(default_factory=lambda: uuid4().hex[:12])
    _bodies: dict[str, object] = field(default_factory=dict)
    _known: list[tuple[str, str]] = field(default_factory=list)

    def run(self, stretches: Sequence[Stretch]) -> None:
        """Send all of `stretches`, on time; return when each request was answered or given up."""
        work_through(self._at_due(stretches), act=self._send, threads=THREADS, stop=self.stop)

    def saturate(self, *, threads: int, seconds: float) -> int:
        """Place orders one after another on some threads; return how many were accepted."""
        before = len(self.accepted)
        ends_at = time.monotonic() + seconds

        def numbers() -> Iterator[Due]:
            number = 0
            while time.monotonic() < ends_at and not self.stop.is_set():
                yield Due(number, time.monotonic() - self.began_at, Kind.POST)
                number += 1

        work_through(numbers(), act=self._send, threads=threads, stop=self.stop)
        return len(self.accepted) - before

    def resend_unknown(self, *, within_s: float) -> list[str]:
        """Send again, under their keys, what was refused or not answered; return the keys that still are."""
        deadline = time.monotonic() + within_s
        open_keys = [key for key in self._bodies if key not in self.accepted]

        def settle(key: str) -> None:
            while not self.stop.is_set():
                if self._accept(key, self._post(key)) or time.monotonic() > deadline:
                    return
                time.sleep(_RESEND_PAUSE_S)

        work_through(open_keys, act=settle, threads=8, stop=self.stop)
        return [key for key in open_keys if key not in self.accepted]

    def _at_due(self, stretches: Sequence[Stretch]) -> Iterator[Due]:
        for due in due_requests(stretches):
            wait_s = self.began_at + due.at_s - time.monotonic()
            if wait_s > 0 and self.stop.wait(wait_s):
                return
            yield due

    def _send(self, due: Due) -> None:
        if due.kind is Kind.GET:
            self._read(due)
            return
        key = f"{self._name}-{len(self._bodies)}-{due.number}"
        self._bodies[key] = self._order()
        reply = self._note(due, lambda: self._post(key))
        self._accept(key, reply)

    def _read(self, due: Due) -> None:
        if not self._known:
            return
        order_id, token = self.random.choice(self._known[-_READ_LATEST:])
        self._note(
            due,
            lambda: self.client.send("GET", f"/api/v1/orders/{order_id}", headers={_TOKEN_HEADER: token}),
        )

    def _post(self, key: str) -> Reply:
        headers = {"Idempotency-Key": key}
        return self.client.send("POST", "/api/v1/orders", body=self._bodies[key], headers=headers)

    def _accept(self, key: str, reply: Reply) -> bool:
        """Remember an accepted order; tell whether there is nothing more to ask for."""
        if reply.status == _CREATED:
            order_id = reply.document["id"]
            self.accepted[key] = order_id
            self._known.append((order_id, reply.headers.get(_TOKEN_HEADER, "")))
        return reply.status not in (NO_ANSWER, 409, 429) and reply.status < 500

    def _note(self, due: Due, send: Callable[[], Reply]) -> Reply:
        """Measure from when it was due: a client does not care why it had to wait."""
        reply = send()
        latency_s = time.monotonic() - self.began_at - due.at_s
        self.requests.append(Request(due.kind.value, due.at_s, latency_s, reply.status))
        return reply

    def _order(self) -> dict[str, object]:
        return {
            "customer": {"reference": f"gameday-{self.random.randrange(500)}"},
            "currency": "EUR",
            "lines": [{"sku": self.random.choice(_SKUS), "quantity": 1}],
            "payments": [{"method": "pm_card_visa"}],
        }
