"""The newest primary that this process has seen: nothing older is ever written to.

A promotion begins a new timeline. The old primary that comes back without being fenced is on the one
before, takes writes, and stands first in the list of hosts.
"""

import os
import threading

# One statement more for each new connection, of which a process makes few. 0 on a standby.
TIMELINE = """
    SELECT CASE WHEN pg_is_in_recovery() THEN 0
           ELSE ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::bigint END
"""


class Newest:
    """Where the primary was last seen, and on which timeline. Grows only."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.timeline = 0
        self.place: str | None = None

    def see(self, *, timeline: int, place: str | None) -> bool:
        """Take in a sight of a primary; tell whether it is the newest known one, so may be used."""
        with self._lock:
            if timeline < self.timeline:
                return False
            self.timeline, self.place = timeline, place or self.place
            return True

    def first(self, host: str, port: str) -> tuple[str, str]:
        """Return libpq's lists of hosts and ports with the newest primary first.

        So a new connection does not wait for the old one first, which may be frozen.
        """
        hosts, ports = host.split(","), str(port).split(",")
        if len(hosts) == 1 or len(ports) != len(hosts):
            return host, port
        pairs = sorted(zip(hosts, ports, strict=True), key=lambda pair: ":".join(pair) != self.place)
        return ",".join(host for host, _port in pairs), ",".join(port for _host, port in pairs)

    def unlock(self) -> None:
        """Have a lock that nobody holds: in a forked child, whose parent's pulse may have held it."""
        self._lock = threading.Lock()

    def forget(self) -> None:
        """Know nothing; for tests, which build clusters anew."""
        self.timeline, self.place = 0, None


newest = Newest()
os.register_at_fork(after_in_child=newest.unlock)
