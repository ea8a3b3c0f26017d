"""Delete stored answers whose time is over."""

from datetime import datetime

from resilience.idempotency import store

# Short transactions: a batch holds its row locks for some tens of milliseconds.
BATCH_ROWS = 1000
# One run takes at most this many; the next run goes on.
BATCHES_MAX = 200


def prune(*, now: datetime) -> int:
    """Delete answers that expired before `now`, in batches; returns how many."""
    deleted = 0
    for _batch in range(BATCHES_MAX):
        rows = store.delete_expired(now=now, limit=BATCH_ROWS)
        deleted += rows
        if rows < BATCH_ROWS:
            break
    return deleted
