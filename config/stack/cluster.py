"""The two PostgreSQL servers: which of them leads, and how that changes.

The danger: two servers that both take writes are two truths. So the one that led is fenced before the
other is promoted, and what was fenced only ever comes back as a copy of the one that leads.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from config.stack import postgres, replication
from config.stack.errors import StackError
from config.stack.leftovers import kill_at_once
from config.stack.postgres import Server
from config.stack.supervisor import Standing, Supervisor


@dataclass
class Cluster:
    """Two servers, named by their birth, of which `leader` takes writes.

    `remember` is told the name of a new leader before it becomes one, and must keep it: whoever starts
    these servers next must start them in these roles. `stream_port` says where a follower finds whom it
    follows. With `synchronous`, a commit is acknowledged when both have it, while both run.
    """

    servers: tuple[Server, Server]
    leader: Server
    supervisor: Supervisor
    remember: Callable[[str], None]
    stream_port: Callable[[Server, Server], int]
    synchronous: bool = False

    @property
    def follower(self) -> Server:
        """The server that does not lead, running or not."""
        return next(server for server in self.servers if server is not self.leader)

    def start(self) -> None:
        """Start both, with their data as it was left, or new."""
        leader = self.leader
        postgres.initialize(leader)
        postgres.configure(leader)
        self.supervisor.start(postgres.part_of(leader))
        if leader.is_standby:
            # Its predecessor was fenced, and then somebody switched the machine off.
            replication.promote(leader)
        postgres.provision(leader)
        replication.clone(leader, replica=self.follower)
        self._let_follow()
        self.supervisor.start(postgres.part_of(self.follower))
        self._wait_for_follower()

    def fail_over(self) -> dict[str, object]:
        """Fence the leader and promote its follower. Raises StackError, having changed nothing, when that
        cannot lead."""
        if self.leader.is_standby:
            # It was to lead, and its promotion failed: its predecessor is fenced.
            replication.promote(self.leader)
            return {"leader": self.leader.name, "fenced": self.follower.name}
        old, new = self.leader, self.follower
        if not replication.follows_closely(new):
            raise StackError(f"{new.name} does not run as a replica: there is nobody to promote.")
        began = time.monotonic()
        self.remember(new.name)
        self._fence(old)
        fenced_s = time.monotonic() - began
        self.leader = new
        replication.promote(new)
        return {
            "leader": new.name,
            "fenced": old.name,
            "fenced_after_s": round(fenced_s, 3),
            "promoted_after_s": round(time.monotonic() - began, 3),
        }

    def rebuild(self) -> dict[str, object]:
        """Make a follower of the server that was fenced, from a copy of the leader; return when it runs."""
        follower = self.follower
        if self.supervisor.standings()[follower.name] is not Standing.FENCED:
            raise StackError(f"{follower.name} is not fenced: there is nothing to rebuild.")
        began = time.monotonic()
        replication.clone(self.leader, replica=follower, anew=True)
        self._let_follow()
        self.supervisor.lift(follower.name)
        self._wait_for_follower()
        return {"follower": follower.name, "rebuilt_after_s": round(time.monotonic() - began, 3)}

    def _fence(self, server: Server) -> None:
        self.supervisor.fence(server.name)
        kill_at_once(server.directory)

    def _let_follow(self) -> None:
        port = self.stream_port(self.follower, self.leader)
        postgres.configure(self.follower, follows=self.leader, stream_port=port)

    def _wait_for_follower(self) -> None:
        """Let commits wait for the follower from now on, if they are to: not before it runs."""
        if self.synchronous:
            postgres.configure(self.leader, waits_for=self.follower)
            replication.reload(self.leader)
