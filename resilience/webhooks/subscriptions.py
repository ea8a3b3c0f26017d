"""What webhooks listen to: everything that is somebody's."""

from resilience.events import Subscription, subscribe
from resilience.webhooks.fan_out import fan_out

WEBHOOKS = subscribe(Subscription(name="webhooks.out", types=None, handle=fan_out, start="now"))
