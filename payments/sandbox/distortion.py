"""Objects that show other amounts than the book: what a mixed-up or tampered answer would say."""

import json
from typing import Any

from .shapes import dump

_KINDS = frozenset({"payment_intent", "charge", "refund", "dispute", "balance_transaction"})
_AMOUNTS = ("amount", "amount_capturable", "amount_received", "amount_captured", "amount_refunded")


def with_wrong_amounts(body: str) -> str:
    """Return `body` (JSON) with each amount of each object in it that has money one too high.

    Zeros stay: what was not captured yet does not look as if it were.
    """
    shape = json.loads(body)
    _distort(shape)
    return dump(shape)


def _distort(part: Any) -> None:
    if isinstance(part, dict):
        kind = part.get("object")  # of an event's data it is the object itself
        if isinstance(kind, str) and kind in _KINDS:
            for name in _AMOUNTS:
                if part.get(name):
                    part[name] += 1
        for child in part.values():
            _distort(child)
    elif isinstance(part, list):
        for child in part:
            _distort(child)
