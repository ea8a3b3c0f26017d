"""Read JSON that has exactly one meaning, or say where it does not.

The danger: Python's reader takes the last of two equal keys, NaN, numbers that no database column
holds, and text that PostgreSQL refuses (NUL, lone surrogates); each of these becomes a 500 or a
different order than the one the client's own reader sees. A body of 100,000 brackets is a
RecursionError. Here all of them are refusals that name the place.
"""

import json
import math
from collections.abc import Iterable
from enum import IntEnum

from resilience.rest.card_numbers import holds_card_number, may_hold_card_number
from resilience.rest.errors import CardNumberRefused, FieldError, InvalidJSON, InvalidRequest, pointer

# Deeper than any document of the API; far from the interpreter's own limit.
DEPTH_MAX = 32
INTEGER_MIN = -(2**63)
INTEGER_MAX = 2**63 - 1
_INT64_CHARACTERS_MAX = 20


def read_object(raw: bytes, *, refuses_card_numbers: bool = True) -> dict[str, object]:
    """Return the JSON object that `raw` holds.

    Raises InvalidJSON (or CardNumberRefused) with the place of the first fault. Only a caller that
    keeps none of the text as it came may take card numbers.
    """
    text = _decode_utf8(raw)
    value = _decode_json(text)
    # NUL and lone surrogates can only come from an escape, for UTF-8 and JSON refuse both raw.
    look_for = _Look.UNWRITABLE if "\\u" in text else _Look.NOTHING
    if refuses_card_numbers and (look_for or may_hold_card_number(text)):
        look_for = _Look.CARD_NUMBERS
    try:
        _inspect(value, depth=0, look_for=look_for)
    except _FaultError as fault:
        raise fault.as_refusal() from None
    if type(value) is not dict:
        raise _refusal((), "not_an_object", "The body is not a JSON object. Send one, like {…}.")
    return value


class _Look(IntEnum):
    """What is looked for inside texts; each includes the one before."""

    NOTHING = 0
    UNWRITABLE = 1
    CARD_NUMBERS = 2


class _FaultError(Exception):
    """Something wrong deep inside; collects its path while it rises."""

    def __init__(self, code: str, detail: str, refusal: type[InvalidRequest] = InvalidJSON) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.refusal = refusal
        self.path: list[str | int] = []

    def as_refusal(self) -> InvalidRequest:
        return _refusal(reversed(self.path), self.code, self.detail, self.refusal)


class _Repeated(dict[str, object]):
    """Stands for an object with a key given twice, until the inspection can say where it is."""


def _refusal(
    path: Iterable[str | int], code: str, detail: str, refusal: type[InvalidRequest] = InvalidJSON
) -> InvalidRequest:
    place = pointer(path)
    return refusal(f"{place}: {detail}" if place else detail, errors=[FieldError(place, code, detail)])


def _decode_utf8(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _refusal((), "not_utf8", f"The body is not UTF-8 at byte {error.start}.") from error


def _decode_json(text: str) -> object:
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno} (character {error.pos})"
        raise _refusal((), "syntax", f"The body is not JSON: {error.msg} at {place}.") from error
    except RecursionError:
        raise _refusal((), "too_deep", _TOO_DEEP) from None


_TOO_DEEP = f"The body is nested deeper than {DEPTH_MAX} levels."


def _read_members(members: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(members)
    return value if len(value) == len(members) else _Repeated(members)


def _read_integer(digits: str) -> int | float:
    if digits == "-0":  # no integer has a minus zero; floats do, and fields for integers refuse those
        return -0.0
    # A number of a million digits is not worked out: any value outside the range says the same.
    return int(digits) if len(digits) <= _INT64_CHARACTERS_MAX else INTEGER_MAX + 1


_DECODER = json.JSONDecoder(object_pairs_hook=_read_members, parse_int=_read_integer)


def _inspect(value: object, *, depth: int, look_for: _Look) -> None:
    if isinstance(value, dict):
        _inspect_object(value, depth=depth, look_for=look_for)
    elif isinstance(value, list):
        _inspect_list(value, depth=depth, look_for=look_for)
    elif isinstance(value, str):
        if look_for:
            _inspect_string(value, look_for=look_for)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise _FaultError("not_finite", "The number is not finite. Send a finite number.")
    elif isinstance(value, int):
        _inspect_integer(value, look_for=look_for)


def _inspect_object(value: dict[str, object], *, depth: int, look_for: _Look) -> None:
    if depth == DEPTH_MAX:
        raise _FaultError("too_deep", _TOO_DEEP)
    if isinstance(value, _Repeated):
        raise _FaultError("duplicate_key", "A key is given twice in this object. Send each key once.")
    for key, member in value.items():
        if look_for:
            _inspect_string(key, look_for=look_for)
        try:
            _inspect(member, depth=depth + 1, look_for=look_for)
        except _FaultError as fault:
            fault.path.append(key)
            raise


def _inspect_list(value: list[object], *, depth: int, look_for: _Look) -> None:
    if depth == DEPTH_MAX:
        raise _FaultError("too_deep", _TOO_DEEP)
    for index, item in enumerate(value):
        try:
            _inspect(item, depth=depth + 1, look_for=look_for)
        except _FaultError as fault:
            fault.path.append(index)
            raise


def _inspect_string(value: str, *, look_for: _Look) -> None:
    if "\0" in value:
        raise _FaultError("forbidden_character", "The text has a NUL character. Send it without.")
    if not value.isascii():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise _FaultError(
                "forbidden_character", "The text has half a surrogate pair. Send whole characters."
            ) from None
    if look_for is _Look.CARD_NUMBERS and holds_card_number(value):
        raise _card_number()


def _inspect_integer(value: int, *, look_for: _Look) -> None:
    if not INTEGER_MIN <= value <= INTEGER_MAX:
        raise _FaultError("number_out_of_range", f"The number is not in {INTEGER_MIN}..{INTEGER_MAX}.")
    if look_for is _Look.CARD_NUMBERS and holds_card_number(str(value)):
        raise _card_number()


def _card_number() -> _FaultError:
    return _FaultError(
        "card_number_refused",
        "This looks like a card number. Never send one: send a payment method token of the gateway.",
        CardNumberRefused,
    )
