"""What happens with time: authorizations expire, slips are paid, refunds clear, disputes open.

One task does it all. Everything it needs is in the book, so a restart goes on where the last process
ended; each step commits with its events, as the effect of a request does.
"""

import asyncio
import time
from collections.abc import Callable
from functools import partial

from . import collection, disputes, refunds
from .book import Book
from .calls import Cause
from .commits import GroupCommit
from .expiry import expire, expired_intents
from .settings import Settings
from .timers import Timer, TimerKind, due_timers, take_timer

# How often the book is asked what is due: the precision of every time that is configured.
POLL_S = 0.05
# Steps at a time; the others wait for the next round. It bounds how long requests wait behind them.
STEPS_MAX = 64

Effect = Callable[[Book, Cause, str], None]

EFFECTS: dict[TimerKind, Effect] = {
    TimerKind.PAY: collection.pay,
    TimerKind.CLEAR: collection.clear,
    TimerKind.LAPSE: collection.lapse,
    TimerKind.OPEN_DISPUTE: disputes.open_by_itself,
    TimerKind.CLEAR_REFUND: refunds.clear,
    TimerKind.FAIL_REFUND: refunds.fail,
}


class Clockwork:
    """Lets due things happen."""

    def __init__(self, *, writing: Book, reading: Book, commits: GroupCommit, settings: Settings) -> None:
        self._writing = writing
        self._reading = reading
        self._commits = commits
        self._settings = settings

    async def run(self) -> None:
        """Do what is due until cancelled. A step that cannot be done is a bug, and ends the process."""
        while True:
            await self.run_once(now=time.time())
            await asyncio.sleep(POLL_S)

    async def run_once(self, *, now: float) -> int:
        """Do what is due at `now`; return how many steps that were."""
        cause = Cause(now, int(now), self._settings)
        steps = [
            partial(_fire, self._writing, cause, timer)
            for timer in due_timers(self._reading, now=now, limit=STEPS_MAX)
        ]
        steps += [
            partial(expire, self._writing, cause, intent_id)
            for intent_id in expired_intents(self._reading, now=now, limit=STEPS_MAX)
        ]
        await asyncio.gather(*map(self._commits.run, steps))
        return len(steps)


def _fire(book: Book, cause: Cause, timer: Timer) -> None:
    """Let `timer` happen, unless another step has replaced or dropped it meanwhile."""
    if take_timer(book, timer):
        EFFECTS[timer.kind](book, cause, timer.subject)
