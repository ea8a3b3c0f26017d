"""Tells the platform about events: signed as Stripe signs them, tried again until they are taken.

Nothing here promises order, and a fault may delay, double, shuffle or drop an event, as the network
between two companies does.
"""

import asyncio
import hashlib
import hmac
import logging
import time
from heapq import heappop, heappush
from itertools import count

import aiohttp

from .book import Book
from .commits import GroupCommit
from .faults import Faults
from .records import Delivery
from .shapes import dump, event_shape
from .vocabulary import FaultKind

log = logging.getLogger(__name__)

# Stripe tries for three days, further and further apart; a test cannot wait that long.
ATTEMPTS_MAX = 12
RETRY_WAIT_S = 0.5
RETRY_WAIT_MAX_S = 60.0
ANSWER_WAIT_S = 10.0
CONCURRENCY = 8
# Events planned ahead; the others wait in the book.
PLANNED_MAX = 1_000
# How often the book is asked for new events.
POLL_S = 0.05


class Webhooks:
    """Delivers every event of the book to one URL."""

    def __init__(
        self, *, url: str, secret: str, writing: Book, reading: Book, commits: GroupCommit, faults: Faults
    ) -> None:
        self._url = url
        self._secret = secret
        self._writing = writing
        self._reading = reading
        self._commits = commits
        self._faults = faults
        self._position = 0
        self._due: list[tuple[float, int, str, int, FaultKind | None]] = []
        self._order = count()

    async def run(self) -> None:
        """Deliver until cancelled."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_WAIT_S)
        async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as group:
            group.create_task(self._watch())
            for _ in range(CONCURRENCY):
                group.create_task(self._deliver_due(session))

    async def _watch(self) -> None:
        while True:
            room = PLANNED_MAX - len(self._due)
            for seq, event_id in self._reading.unsettled_events(after=self._position, limit=max(room, 0)):
                self._position = seq
                self._plan(event_id)
            await asyncio.sleep(POLL_S)

    def _plan(self, event_id: str) -> None:
        met = {fault.kind: fault for fault in self._faults.strike_webhook()}
        if FaultKind.WEBHOOK_DROP in met:
            self._log(event_id, status=None, fault=FaultKind.WEBHOOK_DROP, settled=True)
            return
        delay_s = 0.0
        if late := met.get(FaultKind.WEBHOOK_LATE):
            delay_s += late.delay_ms / 1_000
        if shuffle := met.get(FaultKind.WEBHOOK_SHUFFLE):
            delay_s += self._faults.chance.random() * shuffle.delay_ms / 1_000
        self._push(event_id, after_s=delay_s, attempt=1, fault=next(iter(met), None))
        if FaultKind.WEBHOOK_TWICE in met:
            self._push(event_id, after_s=delay_s, attempt=1, fault=FaultKind.WEBHOOK_TWICE)

    def _push(self, event_id: str, *, after_s: float, attempt: int, fault: FaultKind | None) -> None:
        heappush(self._due, (time.monotonic() + after_s, next(self._order), event_id, attempt, fault))

    async def _deliver_due(self, session: aiohttp.ClientSession) -> None:
        while True:
            if not self._due or self._due[0][0] > time.monotonic():
                await asyncio.sleep(POLL_S)
                continue
            _, _, event_id, attempt, fault = heappop(self._due)
            status = await self._deliver(session, event_id)
            taken = status is not None and 200 <= status < 300
            self._log(event_id, status=status, fault=fault, settled=taken or attempt == ATTEMPTS_MAX)
            if not taken and attempt < ATTEMPTS_MAX:
                wait_s = min(RETRY_WAIT_MAX_S, RETRY_WAIT_S * 2 ** (attempt - 1))
                self._push(event_id, after_s=wait_s, attempt=attempt + 1, fault=fault)

    async def _deliver(self, session: aiohttp.ClientSession, event_id: str) -> int | None:
        event = self._reading.event(event_id)
        assert event is not None, f"{event_id} has left the book"  # noqa: S101
        body = dump(event_shape(event, pending_webhooks=1)).encode()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": sign(body, secret=self._secret, now=int(time.time())),
            "User-Agent": "Stripe/1.0 (holdfast sandbox)",
        }
        try:
            async with session.post(self._url, data=body, headers=headers, allow_redirects=False) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError) as error:
            log.info("webhook %s was not taken: %r", event_id, error)
            return None

    def _log(self, event_id: str, *, status: int | None, fault: FaultKind | None, settled: bool) -> None:
        delivery = Delivery(event_id, time.time(), status, fault, settled)
        self._commits.note(lambda: self._writing.log_delivery(delivery))


def sign(body: bytes, *, secret: str, now: int) -> str:
    """Return the `Stripe-Signature` of `body`: HMAC-SHA256 over the time and the raw bytes."""
    mac = hmac.new(secret.encode(), f"{now}.".encode() + body, hashlib.sha256)
    return f"t={now},v1={mac.hexdigest()}"
