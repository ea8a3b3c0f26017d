"""What webhooks listen to: everything that is somebody's."""

from resilience.events import Subscription, subscribe
from resilience.webhooks.fan_out import fan_out

# Parked, so that an endpoint that wants an order's events in order never gets the next one without the first.
WEBHOOKS = subscribe(
    Subscription(
        name="webhooks.out", types=None, handle=fan_out, start="now", on_poison="park", is_patient=True
    )
)
