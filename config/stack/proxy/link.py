"""One client's connection, and the one that is made to the server for it."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from config.stack.proxy.behaviour import Behaviour, Stalls
from config.stack.proxy.flow import Flow

LOOPBACK = "127.0.0.1"
# Closing with this sends a reset instead of an orderly end.
_LINGER_NONE = struct.pack("ii", 1, 0)
_DIRECTIONS = 2


@dataclass
class Counts:
    """What went through a route since the proxy started. `connections` were accepted from clients."""

    connections: int = 0
    unreachable: int = 0
    bytes_to_server: int = 0
    bytes_to_client: int = 0


class Link:
    """Begins with a client's connection; `left` is called once, when it has ended."""

    def __init__(
        self,
        *,
        client: asyncio.Transport,
        leads_to: int,
        behaviour: Behaviour,
        counts: Counts,
        left: Callable[["Link"], None],
    ) -> None:
        self._client = client
        self._leads_to = leads_to
        self._behaviour = behaviour
        self._counts = counts
        self._left = left
        self._server: asyncio.Transport | None = None
        self._to_server: Flow | None = None
        self._to_client: Flow | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._is_abandoned = False
        self._ends = 0
        # Nothing is read before there is somebody to hand it to.
        client.pause_reading()

    def behave(self, behaviour: Behaviour) -> None:
        """Change to `behaviour`; a connection that a black hole kept from the server is made now."""
        self._behaviour = behaviour
        for flow in self._flows:
            flow.behave(behaviour)
        waits = self._server is None and self._connecting is None and not self._is_abandoned
        if waits and not behaviour.is_stalled(Stalls.TO_SERVER):
            self._connecting = asyncio.get_running_loop().create_task(self._connect())

    def cut(self) -> None:
        """Reset both ends."""
        reset(self._client)
        if self._server is not None:
            reset(self._server)
        self._end()

    def abandon(self) -> None:
        """Reset the server's end and keep the client's, mute: it is never told."""
        self._is_abandoned = True
        for flow in self._flows:
            flow.drop()
        if not self._client.is_closing():
            self._client.pause_reading()
        if self._server is not None:
            reset(self._server)

    def client_sent(self, data: bytes | None) -> None:
        """Hear the client; None is the end of its stream."""
        if self._to_server is not None:
            self._to_server.take(data)

    def server_sent(self, data: bytes | None) -> None:
        """Hear the server; None is the end of its stream."""
        if self._to_client is not None:
            self._to_client.take(data)

    def mind_client(self, *, is_full: bool) -> None:
        """Hear whether the client takes what it is sent."""
        if self._to_client is not None:
            self._to_client.mind_sink(is_full=is_full)

    def mind_server(self, *, is_full: bool) -> None:
        """Hear whether the server takes what it is sent."""
        if self._to_server is not None:
            self._to_server.mind_sink(is_full=is_full)

    def lose_client(self, error: Exception | None) -> None:
        """The client's connection is gone: so is what was under way, and the server's end."""
        if self._server is not None:
            _close(self._server, with_reset=error is not None)
        self._end()

    def lose_server(self, error: Exception | None) -> None:
        """The server's connection is gone."""
        if not self._is_abandoned:
            _close(self._client, with_reset=error is not None)
            self._end()

    def reach(self, server: asyncio.Transport) -> None:
        """Go on with a connection to the server."""
        if self._client.is_closing() or self._is_abandoned:
            reset(server)
            return
        self._server = server
        flow = partial(Flow, behaviour=self._behaviour, ended=self._note_end)
        self._to_server = flow(
            source=self._client, sink=server, direction=Stalls.TO_SERVER, carried=self._count_to_server
        )
        self._to_client = flow(
            source=server, sink=self._client, direction=Stalls.TO_CLIENT, carried=self._count_to_client
        )
        for one in self._flows:
            one.behave(self._behaviour)

    @property
    def _flows(self) -> tuple[Flow, ...]:
        return tuple(flow for flow in (self._to_server, self._to_client) if flow is not None)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: _ServerSide(self), LOOPBACK, self._leads_to)
        except OSError:
            self._counts.unreachable += 1
            self.cut()

    def _note_end(self) -> None:
        """Once both have said all they had to say, the connection is over."""
        self._ends += 1
        if self._ends == _DIRECTIONS and self._server is not None:
            _close(self._server, with_reset=False)
            _close(self._client, with_reset=False)

    def _count_to_server(self, size: int) -> None:
        self._counts.bytes_to_server += size

    def _count_to_client(self, size: int) -> None:
        self._counts.bytes_to_client += size

    def _end(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
        for flow in self._flows:
            flow.drop()
        self._left(self)


class ClientSide(asyncio.Protocol):
    """asyncio's view of a client; `accept` makes the link of an accepted connection, or None."""

    def __init__(self, accept: Callable[[asyncio.Transport], Link | None]) -> None:
        self._accept = accept
        self._link: Link | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._link = self._accept(cast("asyncio.Transport", transport))

    def data_received(self, data: bytes) -> None:
        if self._link is not None:
            self._link.client_sent(data)

    def eof_received(self) -> bool:
        if self._link is not None:
            self._link.client_sent(None)
        return True

    def pause_writing(self) -> None:
        if self._link is not None:
            self._link.mind_client(is_full=True)

    def resume_writing(self) -> None:
        if self._link is not None:
            self._link.mind_client(is_full=False)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._link is not None:
            self._link.lose_client(exc)


class _ServerSide(asyncio.Protocol):
    """asyncio's view of a server."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._link.reach(cast("asyncio.Transport", transport))

    def data_received(self, data: bytes) -> None:
        self._link.server_sent(data)

    def eof_received(self) -> bool:
        self._link.server_sent(None)
        return True

    def pause_writing(self) -> None:
        self._link.mind_server(is_full=True)

    def resume_writing(self) -> None:
        self._link.mind_server(is_full=False)

    def connection_lost(self, exc: Exception | None) -> None:
        self._link.lose_server(exc)


def _close(transport: asyncio.Transport, *, with_reset: bool) -> None:
    """End a connection: orderly after what was written, or by a reset, without it."""
    if not with_reset:
        transport.close()
        return
    reset(transport)


def reset(transport: asyncio.Transport) -> None:
    """End a connection by a reset; what was written and not sent is lost."""
    connection: Any = transport.get_extra_info("socket")
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
    transport.abort()
