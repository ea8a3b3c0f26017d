"""Tells the platform about events: signed as Stripe signs them, tried again until they are taken.

Nothing here promises order, and a fault may delay, double, shuffle, drop or disfigure an event, as the
network between two companies does.
"""

import asyncio
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Iterable
from heapq import heappop, heappush
from itertools import count
from typing import NamedTuple

import aiohttp

from .book import Book
from .commits import GroupCommit
from .distortion import with_wrong_amounts
from .errors import invalid, missing_resource
from .faults import Fault, Faults
from .records import Delivery, Event
from .settings import Settings
from .shapes import dump, event_shape
from .transport import first_half
from .vocabulary import DELIVERY_FAULTS, PLAN_FAULTS, FaultKind

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
# Signs instead of ours when a fault asks for a bad signature.
_FOREIGN_SECRET = "whsec_of_somebody_else"  # noqa: S105


class _Due(NamedTuple):
    """One delivery, ordered by when it is due (on the monotonic clock)."""

    at: float
    order: int
    event_id: str
    attempt: int
    fault: FaultKind | None


class _Message(NamedTuple):
    body: bytes
    signature: str


class Webhooks:
    """Delivers the events of the book to one URL, while there is one."""

    def __init__(
        self, *, settings: Settings, writing: Book, reading: Book, commits: GroupCommit, faults: Faults
    ) -> None:
        self._settings = settings
        self._writing = writing
        self._reading = reading
        self._commits = commits
        self._faults = faults
        self._position = 0
        self._due: list[_Due] = []
        self._order = count()

    async def run(self) -> None:
        """Deliver until cancelled."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_WAIT_S)
        async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as group:
            group.create_task(self._watch())
            for _ in range(CONCURRENCY):
                group.create_task(self._deliver_due(session))

    def begin_here(self) -> None:
        """Pass over the events until now: an endpoint hears of what happens once it is there."""
        self._position = self._reading.last_event()

    def redeliver(self, event_id: str) -> None:
        """Send an event again, dropped or taken as it may be. Raises ApiError."""
        if self._settings.webhook_url is None:
            raise invalid("This sandbox delivers no webhooks: it has no webhook_url.")
        if self._reading.event(event_id) is None:
            raise missing_resource(kind="event", id=event_id, param="event")
        self._push(event_id, after_s=0.0, attempt=1, fault=None)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            if self._settings.webhook_url is None:
                continue
            room = PLANNED_MAX - len(self._due)
            for seq, event_id in self._reading.unsettled_events(after=self._position, limit=max(room, 0)):
                self._position = seq
                self._plan(event_id)

    def _plan(self, event_id: str) -> None:
        event = self._event(event_id)
        enabled = self._settings.webhook_events
        if enabled is not None and event.type not in enabled:
            self._log(event_id, status=None, fault=None, settled=True)
            return
        met = self._faults.strike_webhook(PLAN_FAULTS, token=self._token_of(event))
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
        heappush(self._due, _Due(time.monotonic() + after_s, next(self._order), event_id, attempt, fault))

    async def _deliver_due(self, session: aiohttp.ClientSession) -> None:
        while True:
            if not self._due or self._due[0].at > time.monotonic():
                await asyncio.sleep(POLL_S)
                continue
            due = heappop(self._due)
            if self._settings.webhook_url is not None:
                await self._deliver(session, due, url=self._settings.webhook_url)

    async def _deliver(self, session: aiohttp.ClientSession, due: _Due, *, url: str) -> None:
        event = self._event(due.event_id)
        met = self._faults.strike_webhook(DELIVERY_FAULTS, token=self._token_of(event))
        status = await _post(session, url, self._message(event, met))
        taken = status is not None and 200 <= status < 300
        last = taken or due.attempt == ATTEMPTS_MAX
        self._log(event.id, status=status, fault=next(iter(met), due.fault), settled=last)
        if not last:
            wait_s = min(RETRY_WAIT_MAX_S, RETRY_WAIT_S * 2 ** (due.attempt - 1))
            self._push(event.id, after_s=wait_s, attempt=due.attempt + 1, fault=due.fault)

    def _message(self, event: Event, met: dict[FaultKind, Fault]) -> _Message:
        text = dump(event_shape(event, pending_webhooks=1))
        if FaultKind.WEBHOOK_WRONG_AMOUNT in met:
            text = with_wrong_amounts(text)
        body = first_half(text) if FaultKind.WEBHOOK_GARBAGE in met else text.encode()
        now = time.time()
        if skew := met.get(FaultKind.CLOCK_SKEW):
            now -= skew.delay_ms / 1_000
        forged = FaultKind.WEBHOOK_BAD_SIGNATURE in met
        secrets = (_FOREIGN_SECRET,) if forged else self._settings.webhook_secrets
        return _Message(body, sign(body, secrets=secrets, now=int(now)))

    def _event(self, id: str) -> Event:
        event = self._reading.event(id)
        assert event is not None, f"{id} has left the book"  # noqa: S101
        return event

    def _token_of(self, event: Event) -> str | None:
        """Return the test card of the payment that `event` is about."""
        values = json.loads(event.snapshot)
        intent = self._reading.intent(values[0 if event.subject == "Intent" else 1])
        return None if intent is None else intent.payment_method

    def _log(self, event_id: str, *, status: int | None, fault: FaultKind | None, settled: bool) -> None:
        delivery = Delivery(event_id, time.time(), status, fault, settled)
        self._commits.note(lambda: self._writing.log_delivery(delivery))


async def _post(session: aiohttp.ClientSession, url: str, message: _Message) -> int | None:
    """Return the status of the answer, or None if there was none."""
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Stripe-Signature": message.signature,
        "User-Agent": "Stripe/1.0 (holdfast sandbox)",
    }
    try:
        async with session.post(url, data=message.body, headers=headers, allow_redirects=False) as answer:
            return answer.status
    except (aiohttp.ClientError, ValueError, TimeoutError) as error:
        log.info("webhook was not taken: %r", error)
        return None


def sign(body: bytes, *, secrets: Iterable[str], now: int) -> str:
    """Return the `Stripe-Signature` of `body`: per secret an HMAC-SHA256 over the time and the raw bytes."""
    message = f"{now}.".encode() + body
    macs = [hmac.new(secret.encode(), message, hashlib.sha256).hexdigest() for secret in secrets]
    return ",".join([f"t={now}", *(f"v1={mac}" for mac in macs)])
