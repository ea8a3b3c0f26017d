"""Serving subscriptions: a thread for each lane, so that a slow or broken one delays nobody else."""

import logging
import time
from collections.abc import Sequence
from random import Random
from threading import Event as Signal
from threading import Thread

from django.db import connection

from resilience.events.delivery import Counts, run_once
from resilience.events.lanes import ask_lanes
from resilience.events.subscription import Subscription
from resilience.limits.backlog import orders_wait
from resilience.retry import RetryPolicy, wait_s
from resilience.routing import watch
from resilience.signs import give_sign

logger = logging.getLogger(__name__)

# Polling waits: the first bounds the lag at a usual pace, the second the cost of being idle (one statement
# each time), the lag of the first event after silence, and that under load.
_POLL_MIN_S = 0.05
_POLL_MAX_S = 0.25
# A wait that grows with what was read, so that at a thousand events a second and more batches are large: what
# a batch costs, whatever is in it (round trips, a commit), is what listening costs the orders beside it.
_POLL_PER_EVENT_S = 0.001
# A twentieth of the time is left to who is patient while orders wait; and there are seconds at most between
# two batches, so that nobody mistakes it for dead (its sign).
_REST_BY_WORK = 19.0
_REST_S_MAX = 3.0
# Who has been behind (one full batch after the other) for so long rests no more, however long orders wait:
# what clients and analysts hear may come late, and not ever later.
_PATIENCE_S = 30.0
# While the database is away, or a bug outside the handler repeats.
_TROUBLE = RetryPolicy(wait_initial_s=0.1, wait_max_s=2.0)
_SUPERVISE_S = 1.0
# A batch in hand may finish after the signal to stop; what does not is rolled back and read again.
_STOP_MAX_S = 10.0


def serve(subscriptions: Sequence[Subscription], *, stop: Signal, random: Random) -> None:
    """Run every lane of every subscription until `stop` is set; restart a thread that ended by itself."""
    # So that the process follows a promotion, and what hangs on the old primary is cut.
    watch()
    shares = [(subscription, share) for subscription in subscriptions for share in range(subscription.lanes)]
    threads = {one: _start(*one, stop, random) for one in shares}
    while not stop.wait(_SUPERVISE_S):
        for one, thread in threads.items():
            if not thread.is_alive():
                logger.error("A subscription's thread ended.", extra={"subscription": one[0].name})
                threads[one] = _start(*one, stop, random)
    for thread in threads.values():
        thread.join(_STOP_MAX_S / len(threads))


def _start(subscription: Subscription, share: int, stop: Signal, random: Random) -> Thread:
    # A daemon, so that a handler which hangs cannot keep the process from ending.
    thread = Thread(
        target=_follow,
        args=(subscription, share, stop, random),
        name=f"subscription-{subscription.name}-{share}",
        daemon=True,
    )
    thread.start()
    return thread


def _follow(subscription: Subscription, share: int, stop: Signal, random: Random) -> None:
    pause_s, troubles, has_asked = 0.0, 0, share > 0
    kept_up_at = time.monotonic()
    try:
        while not stop.wait(pause_s):
            began_at = time.monotonic()
            try:
                if not has_asked:
                    ask_lanes(subscription)
                    has_asked = True
                counts = run_once(subscription, share=share, random=random)
            except Exception:
                troubles += 1
                pause_s = wait_s(_TROUBLE, attempt=troubles, random=random)
                logger.warning(
                    "A subscription could not be served.",
                    extra={"subscription": subscription.name, "wait_s": pause_s},
                    exc_info=True,
                )
                # The next try must not meet a connection that broke.
                connection.close()
                continue
            troubles = 0
            give_sign("subscriber")
            pause_s = _wait_after_s(pause_s, counts, batch_size=subscription.batch_size)
            if counts.handled + counts.skipped < subscription.batch_size:
                kept_up_at = began_at
            if subscription.is_patient and began_at - kept_up_at < _PATIENCE_S and orders_wait():
                pause_s = max(pause_s, _rest_after_s(time.monotonic() - began_at))
    finally:
        connection.close()


def _rest_after_s(worked_s: float) -> float:
    """Return how long one that is patient rests after a batch while orders wait."""
    return min(worked_s * _REST_BY_WORK, _REST_S_MAX)


def _wait_after_s(waited_s: float, counts: Counts, *, batch_size: int) -> float:
    # What was passed over counts: the events of a lane, or of a rare type, lie far apart.
    read = counts.handled + counts.skipped
    if read >= batch_size:
        return 0.0
    wanted_s = waited_s * 2 if counts.idle else read * _POLL_PER_EVENT_S
    return min(max(wanted_s, _POLL_MIN_S), _POLL_MAX_S)
