"""What the limits refuse."""

from resilience.errors import Operational


class BulkheadFull(Operational):
    """All permits of a dependency are taken: it is slow or down, and the caller goes on without it.

    Nothing was sent to it. `retry_after_s` is when asking again may be worth it.
    """

    code = "bulkhead_full"

    def __init__(self, *, bulkhead: str, permits_max: int, retry_after_s: float) -> None:
        super().__init__(
            f"All {permits_max} permits of {bulkhead} are taken; try again in {retry_after_s:g} s.",
            bulkhead=bulkhead,
            retry_after_s=retry_after_s,
        )
        self.bulkhead = bulkhead
        self.retry_after_s = retry_after_s


class TooManyRequests(Operational):
    """A key has had what its limit allows; the request was not carried out."""

    code = "throttled"

    def __init__(self, *, per_s: float, burst: int, retry_after_s: float) -> None:
        super().__init__(
            f"This API key may send {per_s:g} requests a second, {burst} at once. Wait, and send it again.",
            retry_after_s=retry_after_s,
        )
