"""Sweep notices: try those that wait once more, and those that nobody has handled."""

from datetime import datetime, timedelta

from django.db import transaction

from payments import notice_store
from payments.services.handle_notices import Handled, handle_notices
from payments.services.look_again import Observe

# A waiting notice rests as long again as it has waited, so three days are a dozen tries; at least as
# long as sweeps are apart, and at most so long that its last try is not long before its end.
REST_MIN = timedelta(minutes=1)
REST_MAX = timedelta(hours=6)
# The subscription handles a notice within a second. After this it is paused, far behind, or has made
# a dead letter of it.
PATIENCE = timedelta(minutes=10)
# One transaction holds these rows for some tens of milliseconds.
BATCH = 250
# A sweep ends after so many, well below the minute after which the next one comes.
BATCHES_MAX = 40


def sweep_notices(*, now: datetime, observe: Observe) -> Handled:
    """Handle the notices that are due for it, in batches; sweeps side by side take different ones."""
    swept = Handled()
    for _batch in range(BATCHES_MAX):
        with transaction.atomic():
            notice_ids = notice_store.claim_overdue(
                now=now, patience=PATIENCE, rest_min=REST_MIN, rest_max=REST_MAX, limit=BATCH
            )
            swept += handle_notices(notice_ids=notice_ids, now=now, observe=observe)
        if len(notice_ids) < BATCH:
            break
    return swept
