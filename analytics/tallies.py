"""From events to tallies: what an event adds to which minute, hour and day. No I/O."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from resilience.events import Event

TYPES = (
    "order.placed",
    "order.confirmed",
    "order.cancelled",
    "order.refunded",
    "payment.authorized",
    "payment.captured",
    "payment.declined",
    "payment.refunded",
    "payment.refund_failed",
    "payment.disputed",
    "payment.dispute_closed",
)
# The largest first: whoever locks rows in this order meets nobody in another one.
GRAINS = ("day", "hour", "minute")


@dataclass(frozen=True, order=True)
class Key:
    """What is tallied apart."""

    grain: str
    at: datetime
    measure: str
    currency: str
    method_type: str
    gateway: str
    code: str


@dataclass(frozen=True)
class Amount:
    """How often, and about how much in minor units."""

    count: int = 0
    amount_minor: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.count + other.count, self.amount_minor + other.amount_minor)


# Of an order's events that are about money; what went back is told, piece by piece, by its payments.
_AMOUNTS = dict.fromkeys(("order.placed", "order.confirmed", "order.cancelled"), "total_minor")


def tallied(events: Iterable[Event]) -> dict[Key, Amount]:
    """Return what `events` add up to."""
    sums: dict[Key, Amount] = {}
    for event in events:
        for key, amount in _of(event):
            sums[key] = sums.get(key, Amount()) + amount
    return sums


def beginning(moment: datetime, grain: str) -> datetime:
    """Return when the minute, hour or day (UTC) of `moment` began."""
    moment = moment.astimezone(UTC).replace(second=0, microsecond=0)
    if grain == "minute":
        return moment
    return moment.replace(minute=0) if grain == "hour" else moment.replace(minute=0, hour=0)


def _of(event: Event) -> Iterator[tuple[Key, Amount]]:
    data = event.data
    amount = Amount(1, _minor(data.get(_AMOUNTS.get(event.type, "amount_minor"), 0)))
    for grain in GRAINS:
        yield (
            Key(
                grain=grain,
                at=beginning(_moment(event), grain),
                measure=_measure(event),
                currency=str(data.get("currency", "")),
                method_type=str(data.get("method_type", "")),
                gateway=str(data.get("gateway", "")),
                code=_code(event),
            ),
            amount,
        )


def _measure(event: Event) -> str:
    return "order.returned" if event.data.get("was_confirmed") else event.type


def _moment(event: Event) -> datetime:
    """Return when it happened; an order that was imported was placed when its source says."""
    placed_at = event.data.get("placed_at")
    return datetime.fromisoformat(str(placed_at)) if placed_at else event.occurred_at


def _code(event: Event) -> str:
    return str(event.data.get("code", event.data.get("reason", event.data.get("outcome", ""))))[:64]


def _minor(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is no amount in minor units")
    return value
