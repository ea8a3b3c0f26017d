"""Have payments observed that no active saga looks after."""

from collections.abc import Sequence
from datetime import datetime

from payments.sagas import OBSERVE_PAYMENT
from payments.services.look_again import Observed
from resilience import clock
from resilience.saga.start import start


def start_observations(observed: Sequence[Observed]) -> None:
    """Start a look at each payment, once for each notice; in the transaction of the notices."""
    now: datetime = clock.now()
    for one in observed:
        start(
            OBSERVE_PAYMENT,
            business_key=one.notice_id,
            data={
                "payment_id": str(one.payment_id),
                "gateway": one.gateway,
                "reference": one.reference,
            },
            now=now,
        )
