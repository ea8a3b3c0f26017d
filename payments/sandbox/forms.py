"""Stripe's request encoding: forms whose brackets nest (`metadata[order_id]=7&expand[0]=latest_charge`)."""

import re
from typing import Any
from urllib.parse import unquote_plus

from .errors import invalid

# Stripe documents no limit; ours keeps one request from holding up the others.
FIELDS_MAX = 1_000
DEPTH_MAX = 8

Form = dict[str, Any]

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_BRACKET = re.compile(r"\[([^\[\]]*)\]")


def parse_pairs(encoded: str) -> list[tuple[str, str]]:
    """Split a form body or a query string into its pairs, in their order."""
    fields = encoded.split("&") if encoded else []
    if len(fields) > FIELDS_MAX:
        raise invalid(f"A request may hold at most {FIELDS_MAX} fields.")
    pairs = []
    for field in fields:
        name, _, value = field.partition("=")
        pairs.append((_plain(name), _plain(value)))
    return pairs


def nest(pairs: list[tuple[str, str]]) -> Form:
    """Build the nested form. Lists become dicts keyed by position; see `items_of`."""
    form: Form = {}
    for name, value in pairs:
        if "[" not in name:
            _put(form, name, value, name=name)
        else:
            _put_nested(form, name, value)
    return form


def items_of(value: Any, *, param: str) -> list[str]:
    """Return the list that a client sent as `param[0]=…`, `param[]=…` or a single `param=…`."""
    if value is None or value == "":
        return []
    if isinstance(value, str):
        return [value]
    items = list(value.values())
    if not all(isinstance(item, str) for item in items):
        raise invalid("Invalid array", param=param)
    return items


def _plain(text: str) -> str:
    return unquote_plus(text) if "%" in text or "+" in text else text


def _put_nested(form: Form, name: str, value: str) -> None:
    match = _NAME.fullmatch(name)
    path = _BRACKET.findall(match.group(2)) if match else []
    if match is None or not 0 < len(path) <= DEPTH_MAX:
        raise invalid(f"Invalid parameter name: {name[:80]}", param=name[:80])
    place, last = form, match.group(1)
    for part in path:
        child = place.setdefault(last, {})
        if not isinstance(child, dict):
            raise invalid(f"Invalid object: {name[:80]}", param=name[:80])
        place, last = child, part or str(len(child))
    _put(place, last, value, name=name)


def _put(place: Form, key: str, value: str, *, name: str) -> None:
    if isinstance(place.get(key), dict):
        raise invalid(f"Invalid object: {name[:80]}", param=name[:80])
    place[key] = value
