"""`expand`: ids replaced by the objects they stand for, along paths (`latest_charge.balance_transaction`)."""

from collections.abc import Callable, Sequence
from typing import Any

from .balance_shapes import balance_transaction_shape
from .book import Book
from .charge_shapes import charge_shape, refund_shape
from .dispute_shapes import dispute_shape
from .errors import invalid
from .forms import Form, items_of
from .records import BalanceTransaction, Charge, Dispute, Intent, Refund
from .shapes import intent_shape

# Stripe's limit on the length of a path.
DEPTH_MAX = 4

# For each kind of object, the fields that hold ids, and the kinds of object that may be behind them.
_EXPANDABLE: dict[str, dict[str, tuple[str, ...]]] = {
    "payment_intent": {"latest_charge": ("charge",)},
    "charge": {"balance_transaction": ("balance_transaction",), "payment_intent": ("payment_intent",)},
    "refund": {
        "balance_transaction": ("balance_transaction",),
        "charge": ("charge",),
        "failure_balance_transaction": ("balance_transaction",),
        "payment_intent": ("payment_intent",),
    },
    "dispute": {"charge": ("charge",), "payment_intent": ("payment_intent",)},
    "balance_transaction": {"source": ("charge", "refund", "dispute")},
}
# The prefix of an id tells what it is of.
_LOADED: dict[str, tuple[type, Callable[[Any], dict[str, Any]]]] = {
    "pi": (Intent, intent_shape),
    "ch": (Charge, charge_shape),
    "re": (Refund, refund_shape),
    "dp": (Dispute, dispute_shape),
    "txn": (BalanceTransaction, balance_transaction_shape),
}


def expanded_names(form: Form, *, kind: str, in_list: bool = False) -> list[str]:
    """Return the paths to expand on objects of `kind`. Raises ApiError for one that cannot be."""
    names = []
    for path in items_of(form.get("expand"), param="expand"):
        name = path.removeprefix("data.") if in_list else path
        if not _can_expand(name, kind) or (in_list and name == path):
            raise invalid(f"This property cannot be expanded ({path[:80]}).", param="expand")
        names.append(name)
    return names


def expand(book: Book, shape: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Put the objects behind `names` in the place of their ids, and return `shape`."""
    for name in names:
        place: Any = shape
        for field in name.split("."):
            # A `source` is of one of several kinds, not all of which have each field.
            if place is None or field not in place:
                break
            if isinstance(place[field], str):
                place[field] = _load(book, place[field])
            place = place[field]
    return shape


def _can_expand(path: str, kind: str) -> bool:
    fields = path.split(".")
    if len(fields) > DEPTH_MAX:
        return False
    kinds = {kind}
    for field in fields:
        kinds = {target for one in kinds for target in _EXPANDABLE.get(one, {}).get(field, ())}
    return bool(kinds)


def _load(book: Book, id: str) -> dict[str, Any] | None:
    record, shape = _LOADED[id.partition("_")[0]]
    row = book.find(record, id)
    return None if row is None else shape(row)
