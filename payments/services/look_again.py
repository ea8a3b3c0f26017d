"""Look again at payments of which a gateway told something: by the order's own saga, or by one for it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from resilience.saga.start import signal


@dataclass(frozen=True)
class Observed:
    """A payment of which a notice speaks.

    `is_reflected`: what we have stored already says as much. `is_beyond_sagas`: those of its order ask
    only whether an open tender was taken, and see neither this payment nor what befell it.
    """

    payment_id: UUID
    order_id: UUID
    notice_id: UUID
    gateway: str
    reference: str
    is_reflected: bool
    is_beyond_sagas: bool = False


Observe = Callable[[Sequence[Observed]], None]
"""Has payments looked at whose order no saga looks after; called in the transaction of the notices."""


def look_again(*, observed: Sequence[Observed], observe: Observe) -> None:
    """Wake the sagas of the orders; hand to `observe` what no saga will see and we do not know.

    What is beyond them is observed even beside them; without the name of a charge there is nothing to see.
    The gateway is asked by whoever wakes up, never here: a notice is a reason to look, not a fact.
    """
    if not observed:
        return
    # Their rows stay locked until this commits: of what they wait for, each looks once more or knows the end.
    looked_after = signal(business_keys=sorted({one.order_id for one in observed}))
    unseen = [
        one
        for one in observed
        if one.reference
        and not one.is_reflected
        and (one.is_beyond_sagas or one.order_id not in looked_after)
    ]
    if unseen:
        observe(unseen)
