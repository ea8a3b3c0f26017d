"""What the file itself adds up to, and what of it the API has to refuse. No I/O but the file's."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from config.quarter.figures import Figures, busiest, money, number
from config.replay.errors import SourceError
from config.replay.requests import METHODS
from config.replay.source import SourceOrder

# The API takes an order of one line at least, ten payments at most, none of them of nothing.
PAYMENTS_MAX = 10
WITHOUT_ITEMS = "without items"
TOO_MANY_PAYMENTS = "with more than ten payments"
PAYMENT_OF_NOTHING = "with a payment of 0"
# Of all 17,848 orders of the quarter; another number means another file, or another rule.
KNOWN: Mapping[str, int] = {WITHOUT_ITEMS: 205, TOO_MANY_PAYMENTS: 2, PAYMENT_OF_NOTHING: 1}
# How the sandbox calls what the replay's methods are paid by.
_TYPES = {"pm_boleto": "boleto", "pm_voucher": "voucher"}


@dataclass(frozen=True)
class Source:
    """`refused` holds the ids of the orders that have to be refused, by reason."""

    orders: int
    refused: Mapping[str, frozenset[str]]
    figures: Figures


def read_source(orders: Iterable[SourceOrder]) -> Source:
    """Count the orders that the API takes, by the source's own time. Raises SourceError."""
    refused: dict[str, set[str]] = {reason: set() for reason in KNOWN}
    taken = []
    for order in orders:
        reason = why_refused(order)
        if reason is None:
            taken.append(order)
        else:
            refused[reason].add(order.order_id)
    ids = {reason: frozenset(ids) for reason, ids in refused.items()}
    return Source(len(taken) + sum(map(len, ids.values())), ids, _figures(taken))


def why_refused(order: SourceOrder) -> str | None:
    """Return why the API has to refuse `order`; None when it takes it."""
    if not order.lines:
        return WITHOUT_ITEMS
    if len(order.payments) > PAYMENTS_MAX:
        return TOO_MANY_PAYMENTS
    if any(payment.amount_minor == 0 for payment in order.payments):
        return PAYMENT_OF_NOTHING
    return None


def _figures(orders: list[SourceOrder]) -> Figures:
    months: dict[str, list[int]] = {}
    types: dict[str, list[int]] = {}
    for order in orders:
        months.setdefault(f"{_moment(order):%Y-%m}", []).append(order.paid_minor)
        for payment in order.payments:
            type_ = _TYPES.get(METHODS.get(payment.type, payment.type), "card")
            types.setdefault(type_, []).append(payment.amount_minor)
    people = Counter(order.customer_id for order in orders)
    days = Counter(f"{_moment(order):%Y-%m-%d}" for order in orders)
    minutes = Counter(f"{_moment(order):%Y-%m-%d %H:%M}" for order in orders)
    return {
        **{f"orders of {month}": money(len(sums), sum(sums)) for month, sums in months.items()},
        **{f"paid by {type_}": money(len(sums), sum(sums)) for type_, sums in types.items()},
        "confirmed": money(len(orders), sum(order.paid_minor for order in orders)),
        "busiest day": busiest(days.items()),
        "busiest minute": busiest(minutes.items()),
        "people": number(len(people)),
        "people with two orders or more": number(sum(count > 1 for count in people.values())),
        "units": number(sum(line.quantity for order in orders for line in order.lines)),
    }


def _moment(order: SourceOrder) -> datetime:
    if order.placed_at is None:
        raise SourceError(f"Order {order.order_id} has no `placed_at`, by which it would be counted.")
    return order.placed_at
