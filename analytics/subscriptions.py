"""What analytics listens to, and what it reads of the log by itself."""

from analytics.projections import SUBSCRIPTION, tally
from analytics.tallies import TYPES
from resilience.events import Cursor, Subscription, keep_for, subscribe
from resilience.events.subscription import LARGE_BATCH

TALLIES = subscribe(
    Subscription(name=SUBSCRIPTION, types=TYPES, handle=tally, batch_size=LARGE_BATCH, is_patient=True)
)


def _lake() -> Cursor:
    # Only whoever forgets asks; the others are spared the weight of Arrow.
    from analytics.lake.manifest import read_manifest
    from analytics.lake.storage import storage

    return read_manifest(storage()).cursor


keep_for("the lake", _lake)
