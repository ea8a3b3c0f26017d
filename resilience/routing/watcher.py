"""What the primary and the replica were last seen at; requests read it from memory.

The pulse asks each server four times a second, independently: one that is frozen (not dead) holds its
asker, and must not hide the other. A process that never asks for either has no pulse.
"""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from resilience import pulse
from resilience.postgres.newest import newest
from resilience.postgres.wires import wires
from resilience.pulse import Member, Query
from resilience.routing import states
from resilience.routing.databases import PRIMARY, REPLICA
from resilience.routing.states import PrimaryState, ReplicaState

logger = logging.getLogger(__name__)

# Older knowledge is none: eight answers missing mean that the server, or this process, is in trouble.
STATE_AGE_S_MAX = 2.0
# Reads without a token may be stale, but a replica cut off from its primary must not serve for hours.
LAG_S_MAX = 30.0

# The flushed position: a replica gets no further. NULL on a standby, which is no primary; an error would
# be the whole beat's.
_ASK_PRIMARY = Query("""
    SELECT CASE WHEN NOT pg_is_in_recovery() THEN ARRAY[
        ('x' || left(pg_walfile_name(pg_current_wal_flush_lsn()), 8))::bit(32)::bigint,
        (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint
    ] END
""")
# NULL on a promoted standby: it writes a history of its own. The receiver's timeline is hidden
# from roles without pg_read_all_stats; the control file's may be old for some minutes after a
# promotion elsewhere, and until then everybody reads the primary.
_ASK_REPLICA = Query("""
    SELECT CASE WHEN pg_is_in_recovery() THEN ARRAY[
        coalesce((SELECT received_tli FROM pg_stat_wal_receiver),
                 (SELECT timeline_id FROM pg_control_checkpoint()))::bigint,
        (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::bigint
    ] END
""")
_QUESTIONS = {PRIMARY: _ASK_PRIMARY, REPLICA: _ASK_REPLICA}


class Watcher(Member):
    """The latest sight of both servers. Read without a lock: a state is immutable and replaced whole."""

    name = "routing"

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self.forget()

    def forget(self) -> None:
        """Know nothing: in a forked child, and in a young process."""
        self._places: dict[str, str] = {}
        self._primary: PrimaryState | None = None
        self._replica: ReplicaState | None = None
        # None: not yet, or its silence was acted upon.
        self._replica_seen_at: float | None = None
        self._milestone: PrimaryState | None = None

    def primary_state(self) -> PrimaryState | None:
        """Return the primary if it was seen lately, else None."""
        state = self._primary
        return state if state is not None and self._is_fresh(state) else None

    def replica_state(self) -> ReplicaState | None:
        """Return the replica if it was seen lately, on its primary's timeline, not too far behind."""
        state = self._replica
        usable = (
            state is not None
            and self._is_fresh(state)
            and state.lag_s <= LAG_S_MAX
            and not states.has_diverged(state, primary=self._primary)
        )
        return state if usable else None

    def leave_replica_out(self) -> None:
        """Forget the replica until it is seen again."""
        self._replica = None

    def question(self, alias: str) -> Query | None:
        """Ask for timeline and position."""
        return _QUESTIONS.get(alias)

    def meet(self, alias: str, place: str) -> None:
        """Remember which server is looked at."""
        self._places[alias] = place

    def answer(self, alias: str, value: Sequence[Any] | None, asked_at: float) -> None:
        """Take in the position of a server, or that it is not what it should be."""
        if value is None:
            self.miss_database(alias)
        elif alias == PRIMARY:
            self.see_primary(value[0], value[1], asked_at)
        else:
            self.see_replica(value[0], value[1], asked_at)

    def miss_database(self, alias: str) -> None:
        """Leave a replica out at once; let what is known of a primary grow old.

        PostgreSQL restarts in 0.3 s, and one miss must not empty the fleet.
        """
        if alias == REPLICA:
            self.leave_replica_out()
            self._free_readers()

    def _free_readers(self) -> None:
        """Cut the requests that hang on a replica that is silent for long: the primary answers them.

        Workloads wait on: a report costs more to begin anew than to hold for some seconds.
        """
        seen_at = self._replica_seen_at
        if seen_at is not None and self._monotonic() - seen_at > STATE_AGE_S_MAX:
            self._replica_seen_at = None
            wires.cut_all_but(place="", alias=REPLICA)

    def see_primary(self, timeline: int, position: int, seen_at: float) -> None:
        """Take in an answer of the primary. What hangs on another server after a promotion is cut."""
        place = self._places.get(PRIMARY)
        if not newest.see(timeline=timeline, place=place):
            return
        before, self._primary = self._primary, PrimaryState(timeline, position, seen_at, place)
        if place is not None and before is not None and before.place != place:
            count = wires.cut_all_but(place=place, alias=PRIMARY)
            logger.warning(
                "The primary is another server; connections to the one before were cut.",
                extra={"server": place, "timeline": timeline, "connections": count},
            )

    def see_replica(self, timeline: int, position: int, seen_at: float) -> None:
        """Take in an answer of the replica."""
        primary = self._primary
        self._milestone = states.next_milestone(self._milestone, primary=primary, replayed=position)
        lag_s = states.lag_s(self._milestone, primary=primary, replayed=position)
        place = self._places.get(REPLICA)
        self._replica = ReplicaState(timeline, position, seen_at, lag_s, place)
        self._replica_seen_at = seen_at

    def _is_fresh(self, state: PrimaryState | ReplicaState) -> bool:
        return self._monotonic() - state.seen_at <= STATE_AGE_S_MAX


# One a process: what it knows is about the servers, not about a request.
_watcher = Watcher()
pulse.join(_watcher)


def watch() -> None:
    """Look at the servers from now on; for processes that write, so that they follow a promotion."""
    pulse.ensure_running()


def primary_state(*, wait_s: float = 0.0) -> PrimaryState | None:
    """Return the primary if it was seen in the last `STATE_AGE_S_MAX` seconds, else None.

    Only in the first moments of a process it waits, up to `wait_s`, for the first try to end.
    """
    pulse.ensure_running()
    if wait_s:
        pulse.wait_for_turn(PRIMARY, limit_s=wait_s)
    return _watcher.primary_state()


def replica_state() -> ReplicaState | None:
    """Return the replica if reads may use it: seen lately, in recovery, not too far behind. Else None."""
    pulse.ensure_running()
    return _watcher.replica_state()


def leave_replica_out() -> None:
    """Let no read use the replica until the watcher sees it again: a read on it just failed."""
    _watcher.leave_replica_out()


def stop_watching() -> None:
    """Stop the pulse and forget; the next question starts another. For tests."""
    pulse.stop()
    _watcher.forget()
    newest.forget()
