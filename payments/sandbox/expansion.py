"""`expand`: ids replaced by the objects they stand for."""

from collections.abc import Sequence
from typing import Any

from .book import Book
from .charge_shapes import charge_shape
from .errors import invalid
from .forms import Form, items_of
from .shapes import intent_shape

_EXPANDABLE = {
    "payment_intent": {"latest_charge"},
    "charge": {"payment_intent"},
    "refund": {"charge", "payment_intent"},
}


def expanded_names(form: Form, *, kind: str, in_list: bool = False) -> list[str]:
    """Return the fields to expand on objects of `kind`. Raises ApiError for one that cannot be."""
    names = []
    for path in items_of(form.get("expand"), param="expand"):
        name = path.removeprefix("data.") if in_list else path
        if name not in _EXPANDABLE.get(kind, ()) or (in_list and name == path):
            raise invalid(f"This property cannot be expanded ({path[:80]}).", param="expand")
        names.append(name)
    return names


def expand(book: Book, shape: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Put the objects behind `names` in the place of their ids, and return `shape`."""
    for name in names:
        if shape[name] is not None:
            shape[name] = _load(book, name, shape[name])
    return shape


def _load(book: Book, name: str, id: str) -> dict[str, Any] | None:
    if name == "payment_intent":
        intent = book.intent(id)
        return None if intent is None else intent_shape(intent)
    charge = book.charge(id)
    return None if charge is None else charge_shape(charge)
