"""Clients that do not wait for one another: requests come at their own times, whatever comes of others.

A closed loop (closed_loop.py) asks less when answers are slow, and so cannot overload anybody.
"""

import asyncio
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

# Who has no answer by then has hung up.
PATIENCE_S = 10.0
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_RETRY_AFTER = re.compile(rb"\r\nretry-after: *(\d+)", re.IGNORECASE)

Address = tuple[str, int]


@dataclass(frozen=True)
class Kind:
    """One sort of request: `weight` is its share, `request` returns the bytes of the n-th."""

    name: str
    weight: float
    request: Callable[[int], bytes]


@dataclass(frozen=True)
class Shot:
    """A request and what came of it. `status` 0: no answer; `took_s` counts from `at_s`, when it was due."""

    kind: str
    at_s: float
    took_s: float
    status: int
    retry_after_s: int | None = None


def fire(
    address: Address, kinds: Sequence[Kind], *, per_s: float, seconds: float, random: Random
) -> list[Shot]:
    """Send `per_s` requests a second on average, at random times (Poisson), and wait for every answer."""
    return asyncio.run(_fire(address, kinds, per_s=per_s, seconds=seconds, random=random))


def saturate(
    address: Address, kinds: Sequence[Kind], *, clients: int, seconds: float, random: Random
) -> list[Shot]:
    """Let `clients` ask one after the other without a pause: what comes back a second is the capacity."""
    return asyncio.run(_saturate(address, kinds, clients=clients, seconds=seconds, random=random))


def share_ok(shots: Sequence[Shot], kind: str) -> float:
    """Return which share of a kind was done."""
    of_kind = [shot for shot in shots if shot.kind == kind]
    return sum(is_done(shot) for shot in of_kind) / len(of_kind)


def is_done(shot: Shot) -> bool:
    """Tell whether a request was answered with what was asked for."""
    return 200 <= shot.status < 300


class _Clients:
    def __init__(self, address: Address) -> None:
        self._address = address
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(self, kind: Kind, number: int, *, began_at: float, due_at: float) -> Shot:
        try:
            async with asyncio.timeout(PATIENCE_S):
                status, retry_after_s = await self._exchange(kind.request(number))
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            status, retry_after_s = 0, None
        return Shot(kind.name, due_at - began_at, time.monotonic() - due_at, status, retry_after_s)

    async def _exchange(self, request: bytes) -> tuple[int, int | None]:
        reader, writer = self._idle.pop() if self._idle else await asyncio.open_connection(*self._address)
        try:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if length := _LENGTH.search(head):
                await reader.readexactly(int(length[1]))
        except BaseException:
            writer.close()
            raise
        if b"onnection: close" in head:
            writer.close()
        else:
            self._idle.append((reader, writer))
        again = _RETRY_AFTER.search(head)
        return int(head[9:12]), int(again[1]) if again else None

    def close(self) -> None:
        for _reader, writer in self._idle:
            writer.close()


async def _fire(
    address: Address, kinds: Sequence[Kind], *, per_s: float, seconds: float, random: Random
) -> list[Shot]:
    clients, asking = _Clients(address), []
    weights = [kind.weight for kind in kinds]
    began_at = time.monotonic()
    due_at = began_at
    while (due_at := due_at + random.expovariate(per_s)) < began_at + seconds:
        await asyncio.sleep(max(0.0, due_at - time.monotonic()))
        [kind] = random.choices(kinds, weights)
        asking.append(asyncio.ensure_future(clients.ask(kind, len(asking), began_at=began_at, due_at=due_at)))
    shots = await asyncio.gather(*asking)
    clients.close()
    return list(shots)


async def _saturate(
    address: Address, kinds: Sequence[Kind], *, clients: int, seconds: float, random: Random
) -> list[Shot]:
    asking, shots = _Clients(address), list[Shot]()
    weights = [kind.weight for kind in kinds]
    began_at = time.monotonic()

    async def client() -> None:
        while (now := time.monotonic()) < began_at + seconds:
            [kind] = random.choices(kinds, weights)
            number = random.randrange(10**9)
            shots.append(await asking.ask(kind, number, began_at=began_at, due_at=now))

    await asyncio.gather(*(client() for _ in range(clients)))
    asking.close()
    return shots


def get(path: str, *, headers: Mapping[str, str]) -> bytes:
    """Return the bytes of a GET."""
    return _request("GET", path, headers, b"")


def post(path: str, body: bytes, *, headers: Mapping[str, str]) -> bytes:
    """Return the bytes of a POST of JSON."""
    return _request("POST", path, {**headers, "Content-Type": "application/json"}, body)


def _request(method: str, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: localhost",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    if method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body
