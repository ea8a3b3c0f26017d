"""What an event's data looks like, as JSON Schema (draft 2020-12), and which change of it breaks a reader."""

import dataclasses
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from resilience.events.declaration import EventType, event_types

Json = dict[str, typing.Any]

# Only what is declared there is published.
_ROOMS = ("analytics", "orders", "payments", "resilience")
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SCALARS: dict[type, Json] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    UUID: {"type": "string", "format": "uuid"},
    datetime: {"type": "string", "format": "date-time"},
    date: {"type": "string", "format": "date"},
    types.NoneType: {"type": "null"},
}


def schema_of(declared: EventType) -> Json:
    """Return the schema of an event's `data`.

    A field with a default may be missing: it came later, and older events do not have it. Unknown fields
    are allowed, since a field that is added breaks nobody.
    """
    return {
        "$schema": _DIALECT,
        "$id": f"urn:holdfast:event:{declared.name}:v{declared.version}",
        "title": f"{declared.name} v{declared.version}",
        "description": (declared.body.__doc__ or "").strip(),
        **_object(declared.body),
    }


def file_name(declared: EventType) -> str:
    """Return the name of the committed schema's file."""
    return f"{declared.name}.v{declared.version}.json"


def published_types() -> list[EventType]:
    """Return the event types of the platform's rooms; those that tests declare are none."""
    return [declared for declared in event_types() if declared.body.__module__.partition(".")[0] in _ROOMS]


def envelope_schema() -> Json:
    """Return the schema of the CloudEvents envelope, whatever its `data`."""
    text = {"type": "string"}
    return {
        "type": "object",
        "required": [
            "specversion", "id", "source", "type", "typeversion", "subject", "time", "sequence",
            "datacontenttype", "data",
        ],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": {"type": "string", "format": "uuid"},
            "source": text,
            "type": text,
            "typeversion": {"type": "integer", "minimum": 1},
            "subject": {"type": "string", "format": "uuid"},
            "time": {"type": "string", "format": "date-time"},
            "sequence": {"type": "string", "pattern": "^[0-9]{10,}$"},
            "datacontenttype": {"const": "application/json"},
            "data": {"type": "object"},
        },
    }  # fmt: skip


def breaking_changes(before: Json, after: Json, *, place: str = "data") -> Iterator[str]:
    """Yield, in words, what of `before` a reader could rely on and `after` does not keep."""
    if before.get("type") != after.get("type") or before.get("format") != after.get("format"):
        yield f"{place} is another kind of value"
        return
    if "anyOf" in before or "anyOf" in after:
        known = before.get("anyOf", [before])
        if any(choice not in known for choice in after.get("anyOf", [after])):
            yield f"{place} may be something that it could not be"
        return
    if "enum" in before and "enum" in after:
        yield from (f"{place} may be {new!r}" for new in sorted(set(after["enum"]) - set(before["enum"])))
    yield from _breaking_fields(before, after, place=place)
    if "items" in before and "items" in after:
        yield from breaking_changes(before["items"], after["items"], place=f"{place}[]")


def _breaking_fields(before: Json, after: Json, *, place: str) -> Iterator[str]:
    has = after.get("properties", {})
    for name, had in before.get("properties", {}).items():
        if name not in has:
            yield f"{place}.{name} is gone"
        else:
            yield from breaking_changes(had, has[name], place=f"{place}.{name}")
    for name in before.get("required", ()):
        if name in has and name not in after.get("required", ()):
            yield f"{place}.{name} may be missing"


def _object(body: type) -> Json:
    hints = typing.get_type_hints(body)
    fields = dataclasses.fields(body)
    return {
        "type": "object",
        "required": [field.name for field in fields if field.default is dataclasses.MISSING],
        "properties": {field.name: _schema(hints[field.name]) for field in fields},
    }


def _schema(hint: typing.Any) -> Json:
    if hint is object:
        return {}
    if hint in _SCALARS:
        return dict(_SCALARS[hint])
    origin, parameters = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return {"enum": list(parameters)}
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [_schema(parameter) for parameter in parameters]}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _schema(parameters[1])}
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return {"type": "array", "items": _schema(parameters[0])}
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return {"type": "string", "enum": [member.value for member in hint]}
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _object(hint)
    raise TypeError(f"{hint} has no schema; resilience.events.declaration should have refused it")
