"""What payments listens to: what gateways told, and that a charge became known that they told of."""

from collections.abc import Sequence
from uuid import UUID

from payments import notice_store
from payments.services.handle_notices import handle_notices
from payments.services.observation import start_observations
from resilience import clock
from resilience.events import Event, Subscription, subscribe
from resilience.events.subscription import LARGE_BATCH

_NOTIFIED = "gateway.notified"
# After these a payment has a reference that it may not have had before.
_BECAME_KNOWN = ("payment.authorized", "payment.action_required", "payment.captured")


def _handle(events: Sequence[Event]) -> None:
    told = [event.aggregate_id for event in events if event.type == _NOTIFIED]
    payment_ids = [UUID(str(event.data["payment_id"])) for event in events if event.type != _NOTIFIED]
    waited = notice_store.waiting_for(payment_ids) if payment_ids else []
    if told or waited:
        handle_notices(notice_ids=[*told, *waited], now=clock.now(), observe=start_observations)


# One subscription for both: read in the log's order, a notice either finds the payment known, or
# is waiting by the time that the payment's own event is read.
NOTICES = subscribe(
    Subscription(
        name="payments.notices",
        types=(_NOTIFIED, *_BECAME_KNOWN),
        handle=_handle,
        batch_size=LARGE_BATCH,
        is_replayable=True,
    )
)
