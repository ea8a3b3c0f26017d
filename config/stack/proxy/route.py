"""A route: a port that is listened to, a port it leads to, and the links between the two."""

import asyncio
from dataclasses import dataclass, field

from config.stack.proxy.behaviour import Behaviour, Mode
from config.stack.proxy.link import LOOPBACK, ClientSide, Counts, Link, reset

# Connections that may wait to be accepted, as at the servers behind.
_BACKLOG = 512


@dataclass
class Route:
    """Accepts at `listens` and carries to `leads_to`, as its behaviour says."""

    name: str
    listens: int
    leads_to: int
    behaviour: Behaviour = field(default_factory=Behaviour)
    counts: Counts = field(default_factory=Counts)
    _links: set[Link] = field(default_factory=set)
    _server: asyncio.Server | None = None

    async def behave(self, behaviour: Behaviour) -> None:
        """Change to `behaviour`. Raises OSError when the port cannot be listened to again."""
        if behaviour.mode is Mode.REFUSE:
            self.close()
        else:
            await self.open()
        self.behaviour = behaviour
        if behaviour.mode in (Mode.REFUSE, Mode.RESET):
            self.cut()
        for link in tuple(self._links):
            link.behave(behaviour)

    async def open(self) -> None:
        """Listen, unless it does."""
        if self._server is None:
            self._server = await asyncio.get_running_loop().create_server(
                lambda: ClientSide(self._accept), LOOPBACK, self.listens, backlog=_BACKLOG
            )

    def close(self) -> None:
        """Listen no more; open connections stay."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def cut(self) -> int:
        """Reset every open connection at both ends, losing what is under way; return how many."""
        links = tuple(self._links)
        for link in links:
            link.cut()
        return len(links)

    def abandon(self) -> int:
        """Leave every open connection half-open: its server's end is reset, its client not told."""
        links = tuple(self._links)
        for link in links:
            link.abandon()
        return len(links)

    def shape(self) -> dict[str, object]:
        """Return it as the control port shows it."""
        return {
            "name": self.name,
            "listens": self.listens,
            "leads_to": self.leads_to,
            **self.behaviour.shape(),
            "open": len(self._links),
            **vars(self.counts),
        }

    def _accept(self, client: asyncio.Transport) -> Link | None:
        self.counts.connections += 1
        if self.behaviour.mode is Mode.RESET:
            reset(client)
            return None
        link = Link(
            client=client,
            leads_to=self.leads_to,
            behaviour=self.behaviour,
            counts=self.counts,
            left=self._links.discard,
        )
        self._links.add(link)
        link.behave(self.behaviour)
        return link
