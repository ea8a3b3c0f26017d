"""Query strings as strict as bodies: known names, each once, in readable text."""

from collections.abc import Set
from datetime import datetime
from urllib.parse import parse_qsl

from django.http import HttpRequest

from resilience.rest.errors import FieldError, InvalidQuery, invalid_field, shown
from resilience.rest.timestamps import parse_timestamp

# No list takes more; it bounds the work of splitting a long query string.
_PARAMETERS_MAX = 32
_VALUE_LENGTH_MAX = 1024


def query_parameters(request: HttpRequest, *, allowed: Set[str]) -> dict[str, str]:
    """Return the query parameters by name.

    Raises InvalidQuery for a name outside `allowed`, a name given twice, an empty or oversized value,
    and text that is not UTF-8 or has a NUL.
    """
    found: dict[str, str] = {}
    for name, value in _split(request.META.get("QUERY_STRING", "")):
        if name not in allowed:
            known = ", ".join(sorted(allowed)) or "none"
            raise _refusal(shown(name), "unknown_parameter", f"Not known here. Known: {known}.")
        if name in found:
            raise _refusal(name, "repeated_parameter", "Send this parameter once.")
        if not value or len(value) > _VALUE_LENGTH_MAX or "\0" in value:
            raise _refusal(name, "invalid", f"Send 1 to {_VALUE_LENGTH_MAX} characters, or leave it out.")
        found[name] = value
    return found


def timestamp_parameter(parameters: dict[str, str], name: str) -> datetime | None:
    """Return the time given as parameter `name`, None if absent; raises InvalidRequest."""
    if name not in parameters:
        return None
    try:
        return parse_timestamp(parameters[name])
    except ValueError as error:
        raise invalid_field(name, code="invalid", detail=str(error)) from error


def _split(query: str) -> list[tuple[str, str]]:
    try:
        text = query.encode("latin-1").decode("utf-8")  # WSGI hands bytes over as latin-1
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_PARAMETERS_MAX)
    except ValueError as error:
        raise _refusal("", "invalid", f"Send at most {_PARAMETERS_MAX} parameters, in UTF-8.") from error


def _refusal(name: str, code: str, detail: str) -> InvalidQuery:
    return InvalidQuery(f"{name or 'query'}: {detail}", errors=[FieldError(name, code, detail)])
