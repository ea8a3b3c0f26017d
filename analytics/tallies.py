"""From events to tallies: what an event adds to which minute, hour and day. No I/O."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
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
_FINEST = GRAINS[-1]


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
    minutes: dict[Key, Amount] = {}
    for event in events:
        key, amount = _of(event)
        minutes[key] = minutes.get(key, Amount()) + amount
    # From sums of minutes, of which a batch has few: an hour's is theirs, whatever is in them.
    sums = dict(minutes)
    for minute, amount in minutes.items():
        for grain in GRAINS[:-1]:
            key = replace(minute, grain=grain, at=beginning(minute.at, grain))
            sums[key] = sums.get(key, Amount()) + amount
    return sums


def beginning(moment: datetime, grain: str) -> datetime:
    """Return when the minute, hour or day (UTC) of `moment` began."""
    moment = moment.astimezone(UTC).replace(second=0, microsecond=0)
    if grain == "minute":
        return moment
    return moment.replace(minute=0) if grain == "hour" else moment.replace(minute=0, hour=0)


def _of(event: Event) -> tuple[Key, Amount]:
    """Return what it adds, and to which minute."""
    data = event.data
    key = Key(
        grain=_FINEST,
        at=beginning(_moment(event), _FINEST),
        measure=_measure(event),
        currency=str(data.get("currency", "")),
        method_type=str(data.get("method_type", "")),
        gateway=str(data.get("gateway", "")),
        code=_code(event),
    )
    return key, Amount(1, _minor(data.get(_AMOUNTS.get(event.type, "amount_minor"), 0)))


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
