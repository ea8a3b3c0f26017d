"""How many calls a process has at one gateway account, so that one that hangs leaves threads to others.

The calls of a process share its threads (resilience/saga/tasks.py). Without permits, each call to an account
that accepts and never answers holds one for ten seconds, and soon no other account is asked either.
"""

from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from typing import TypeVar

from payments.gateways.base import Throttled
from resilience.limits import Bulkhead, BulkheadFull

Answer = TypeVar("Answer")

# At 100 ms a call, 640 calls a second: far above what a process can carry. Doubled, one hanging account
# takes all threads; halved, a burst at a slow gateway is turned away though the gateway would bear it.
PERMITS_MAX = 64
# A full burst is four batches of 32 sagas; what exceeds the permits waits its turn for a moment, because
# being scheduled anew costs a saga a commit and a second.
WAITING_MAX = 64
WAIT_S_MAX = 0.5


def within_permits(account: str, ask: Callable[[], Answer]) -> Answer | Throttled:
    """Return what `ask` hears from the account; Throttled, with nothing sent, while all permits are taken.

    So a saga comes back later to the same account, and no attempt is spent. Asking another account is not
    for a moment's crowd: that is the breaker's to say.
    """
    with ExitStack() as held:
        try:
            held.enter_context(permits_of(account).permit())
        except BulkheadFull as full:
            return Throttled(full.retry_after_s)
        return ask()


@cache
def permits_of(account: str) -> Bulkhead:
    """Return the permits of a gateway account in this process."""
    return Bulkhead(f"gateway {account}", PERMITS_MAX, WAIT_S_MAX, waiting_max=WAITING_MAX)
