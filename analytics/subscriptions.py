"""What analytics listens to."""

from analytics.projections import SUBSCRIPTION, tally
from analytics.tallies import TYPES
from resilience.events import Subscription, subscribe

TALLIES = subscribe(Subscription(name=SUBSCRIPTION, types=TYPES, handle=tally))
