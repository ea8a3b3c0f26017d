"""What the primary and the replica were last seen at; requests read it from memory.

A thread for each server, because one that is frozen (not dead) holds its asker without limit, and
must not hide the other. They start at the first question, so a process that never asks has none.
"""

import threading
import time
from collections.abc import Callable

from resilience.routing import states
from resilience.routing.databases import PRIMARY, REPLICA
from resilience.routing.probe import Probe
from resilience.routing.states import PrimaryState, ReplicaState

# Older knowledge is none: eight answers missing mean that the server, or this process, is in trouble.
STATE_AGE_S_MAX = 2.0
# Reads without a token may be stale, but a replica cut off from its primary must not serve for hours.
LAG_S_MAX = 30.0

# The flushed position: a replica gets no further. Raises on a standby ("recovery is in progress"),
# which is then rightly no primary.
_ASK_PRIMARY = """
    SELECT ('x' || left(pg_walfile_name(pg_current_wal_flush_lsn()), 8))::bit(32)::bigint,
           (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint
"""
# No row on a promoted standby: it writes a history of its own. The receiver's timeline is hidden
# from roles without pg_read_all_stats; the control file's may be old for some minutes after a
# promotion elsewhere, and until then those who wrote on the new timeline read the primary.
_ASK_REPLICA = """
    SELECT coalesce((SELECT received_tli FROM pg_stat_wal_receiver),
                    (SELECT timeline_id FROM pg_control_checkpoint()))::bigint,
           (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::bigint
    WHERE pg_is_in_recovery()
"""


class Watcher:
    """The latest sight of both servers. Read without a lock: a state is immutable and replaced whole."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._primary: PrimaryState | None = None
        self._replica: ReplicaState | None = None
        self._milestone: PrimaryState | None = None
        self._starting = threading.Lock()
        self._started = False
        self._primary_probe = Probe(
            alias=PRIMARY, question=_ASK_PRIMARY, see=self.see_primary, lose=self._bear_with_primary
        )
        self._replica_probe = Probe(
            alias=REPLICA, question=_ASK_REPLICA, see=self.see_replica, lose=self.leave_replica_out
        )

    def start(self) -> None:
        """Start watching, unless it has started."""
        if self._started:
            return
        with self._starting:
            if not self._started:
                self._primary_probe.start()
                self._replica_probe.start()
                self._started = True

    def stop(self) -> None:
        """End the threads that were started; this watcher is of no use afterwards."""
        with self._starting:
            if self._started:
                self._primary_probe.stop()
                self._replica_probe.stop()

    def primary_state(self, *, wait_s: float = 0.0) -> PrimaryState | None:
        """Return the primary if it was seen lately, else None. Waits `wait_s` for the first try to end."""
        self._primary_probe.tried_once.wait(wait_s)
        state = self._primary
        return state if state is not None and self._is_fresh(state) else None

    def replica_state(self) -> ReplicaState | None:
        """Return the replica if it was seen lately and does not lag beyond `LAG_S_MAX`, else None."""
        state = self._replica
        return state if state is not None and self._is_fresh(state) and state.lag_s <= LAG_S_MAX else None

    def leave_replica_out(self) -> None:
        """Forget the replica until it is seen again."""
        self._replica = None

    def see_primary(self, timeline: int, position: int, seen_at: float) -> None:
        """Take in an answer of the primary."""
        self._primary = PrimaryState(timeline=timeline, position=position, seen_at=seen_at)

    def see_replica(self, timeline: int, position: int, seen_at: float) -> None:
        """Take in an answer of the replica."""
        primary = self._primary
        self._milestone = states.next_milestone(self._milestone, primary=primary, replayed=position)
        lag_s = states.lag_s(self._milestone, primary=primary, replayed=position)
        self._replica = ReplicaState(timeline=timeline, position=position, seen_at=seen_at, lag_s=lag_s)

    def _bear_with_primary(self) -> None:
        """Let its state grow old: PostgreSQL restarts in 0.3 s, and one miss must not empty the fleet."""

    def _is_fresh(self, state: PrimaryState | ReplicaState) -> bool:
        return self._monotonic() - state.seen_at <= STATE_AGE_S_MAX


# One a process: what it knows is about the servers, not about a request.
_watcher = Watcher()


def primary_state(*, wait_s: float = 0.0) -> PrimaryState | None:
    """Return the primary if it was seen in the last `STATE_AGE_S_MAX` seconds, else None.

    Only in the first moments of a process it waits, up to `wait_s`, for the first try to end.
    """
    _watcher.start()
    return _watcher.primary_state(wait_s=wait_s)


def replica_state() -> ReplicaState | None:
    """Return the replica if reads may use it: seen lately, in recovery, not too far behind. Else None."""
    _watcher.start()
    return _watcher.replica_state()


def leave_replica_out() -> None:
    """Let no read use the replica until the watcher sees it again: a read on it just failed."""
    _watcher.leave_replica_out()


def stop_watching() -> None:
    """End the threads and their connections; the next question starts new ones."""
    _watcher.stop()
    watch_afresh()


def watch_afresh() -> None:
    """Forget everything: in a forked child, whose parent kept the threads and the connections."""
    global _watcher
    _watcher = Watcher()
