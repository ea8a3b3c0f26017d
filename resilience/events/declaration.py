"""Published facts as code: frozen dataclasses with name and version, declared in a context's `events.py`."""

import dataclasses
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

_NAME = re.compile(r"[a-z][a-z_]*(\.[a-z][a-z_]*)+")
# A float is missing on purpose: money is an integer of minor units, and floats do not survive JSON.
_SCALARS = (str, int, bool, UUID, datetime, date, types.NoneType)
_COLLECTIONS = (list, tuple, dict, Sequence, Mapping)


@dataclasses.dataclass(frozen=True)
class EventType:
    """A published fact's name ("order.placed"), version, the aggregate it is about, and its body's class."""

    name: str
    version: int
    aggregate: str
    body: type


class UnknownEventTypeError(LookupError):
    """A body's class, or a name, was not declared with `event_type` in this process."""


_by_body: dict[type, EventType] = {}
_by_name: dict[tuple[str, int], EventType] = {}


Body = typing.TypeVar("Body")


def event_type(name: str, *, version: int, aggregate: str) -> Callable[[type[Body]], type[Body]]:
    """Declare the decorated frozen dataclass as the body of event `name`, version `version`.

    Raises TypeError when it is not a frozen dataclass or has a field that JSON cannot carry exactly;
    ValueError when the name is not "noun.happened" or is taken.
    """

    def declare(body: type[Body]) -> type[Body]:
        _refuse_unwritable(body)
        if not _NAME.fullmatch(name):
            raise ValueError(f'event type {name!r} is not named like "order.placed"')
        if (name, version) in _by_name:
            raise ValueError(f"event type {name!r} version {version} is declared twice")
        declared = EventType(name=name, version=version, aggregate=aggregate, body=body)
        _by_body[body] = _by_name[name, version] = declared
        return body

    return declare


def event_type_of(body: type) -> EventType:
    """Return what `body` was declared as; raises UnknownEventTypeError."""
    try:
        return _by_body[body]
    except KeyError:
        raise UnknownEventTypeError(f"{body.__name__} is not declared with @event_type") from None


def event_types() -> list[EventType]:
    """Return everything declared in this process, sorted by name and version."""
    return [_by_name[key] for key in sorted(_by_name)]


def _refuse_unwritable(body: type) -> None:
    if not (dataclasses.is_dataclass(body) and body.__dataclass_params__.frozen):  # type: ignore[attr-defined]
        raise TypeError(f"{body.__name__} is not a frozen dataclass: a fact does not change")
    for field, hint in typing.get_type_hints(body).items():
        if not _writable(hint):
            raise TypeError(f"{body.__name__}.{field}: {hint} has no exact form in JSON")


def _writable(hint: object) -> bool:
    if hint is Ellipsis or hint is object:
        return True
    if parameters := typing.get_args(hint):
        origin = typing.get_origin(hint)
        known = origin in (typing.Union, types.UnionType, typing.Literal) or (
            isinstance(origin, type) and issubclass(origin, _COLLECTIONS)
        )
        return known and (origin is typing.Literal or all(_writable(parameter) for parameter in parameters))
    if not isinstance(hint, type):
        return False
    if dataclasses.is_dataclass(hint):
        return all(_writable(inner) for inner in typing.get_type_hints(hint).values())
    return issubclass(hint, StrEnum) or hint in _SCALARS
