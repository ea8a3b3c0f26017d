"""Fields that take a value of their own type unchanged, or refuse it; nothing is converted or trimmed.

They are DRF fields, so that drf-spectacular describes them, with one short path from value to value.
"""

import json
import re
from datetime import datetime
from typing import Any

from django.core.validators import RegexValidator
from rest_framework import serializers
from rest_framework.fields import empty

from resilience.rest.timestamps import TIMESTAMP_HELP, parse_timestamp

# C0 and C1 controls, line and paragraph separators, halves of surrogate pairs.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

METADATA_KEYS_MAX = 50
METADATA_KEY_LENGTH_MAX = 64
METADATA_BYTES_MAX = 16 * 1024
METADATA_DEPTH_MAX = 8
# Beyond this, a reader that knows only doubles (JavaScript) gets another number than was sent.
METADATA_NUMBER_MAX = 2**53


class _StrictField:
    """The short path: no validators run, for each field checks its own bounds."""

    def run_validation(self: Any, data: object = empty) -> Any:
        """Return the value as it was sent; raises ValidationError or, when it may be absent, SkipField."""
        if data is empty or data is None:
            return self.validate_empty_values(data)[1]
        return self.to_internal_value(data)


class StrictInteger(_StrictField, serializers.IntegerField):
    """A JSON integer between `min_value` and `max_value`: no bool, no 1.0, no "1"."""

    default_error_messages = {
        "invalid": "Send a JSON integer, without quotes or decimal point.",
        "min_value": "Send at least {min_value}.",
        "max_value": "Send at most {max_value}.",
    }

    def to_internal_value(self, data: object) -> int:
        """Return the integer."""
        if type(data) is not int:
            self.fail("invalid")
        if self.min_value is not None and data < self.min_value:
            self.fail("min_value", min_value=self.min_value)
        if self.max_value is not None and data > self.max_value:
            self.fail("max_value", max_value=self.max_value)
        return data


class StrictBoolean(_StrictField, serializers.BooleanField):
    """`true` or `false`: no 1, no "yes"."""

    default_error_messages = {"invalid": "Send true or false."}

    def to_internal_value(self, data: object) -> bool:
        """Return the value as it was sent."""
        return data if isinstance(data, bool) else self.fail("invalid")


class StrictString(_StrictField, serializers.CharField):
    """A JSON string of 1 (0 with `allow_blank`) to `max_length` characters, without control characters
    or spaces at its ends; with `pattern`, all of it must match."""

    default_error_messages = {
        "invalid": "Send a JSON string.",
        "blank": "Send at least one character.",
        "min_length": "Send at least {min_length} characters.",
        "max_length": "Send at most {max_length} characters.",
        "whitespace": "Send it without spaces at its ends.",
        "control_character": "Send it without control characters and line breaks.",
        "pattern": "Send a value that matches {pattern}.",
    }

    def __init__(self, *, max_length: int, pattern: str | None = None, **options: Any) -> None:
        super().__init__(max_length=max_length, trim_whitespace=False, **options)
        self._pattern = re.compile(pattern) if pattern else None
        if pattern:  # only drf-spectacular reads it; a JSON Schema's pattern may match anywhere
            self.validators.append(RegexValidator(f"^{pattern}$"))

    def to_internal_value(self, data: object) -> str:
        """Return the string."""
        if type(data) is not str:
            self.fail("invalid")
        if data == "":
            return data if self.allow_blank else self.fail("blank")
        self._check_length(len(data))
        if _FORBIDDEN.search(data):
            self.fail("control_character")
        if data[0].isspace() or data[-1].isspace():
            self.fail("whitespace")
        if self._pattern is not None and self._pattern.fullmatch(data) is None:
            self.fail("pattern", pattern=self._pattern.pattern)
        return data

    def _check_length(self, length: int) -> None:
        if self.max_length is not None and length > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        if self.min_length is not None and length < self.min_length:
            self.fail("min_length", min_length=self.min_length)


class StrictList(serializers.ListField):
    """A JSON array of `min_length` to `max_length` items.

    They are counted before any is read: half a million wrong ones fit into a body, and naming what is
    wrong with each would take ten seconds.
    """

    def to_internal_value(self, data: Any) -> list[Any]:
        """Return the items as the child reads them."""
        if isinstance(data, list) and self.max_length is not None and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        items: list[Any] = super().to_internal_value(data)
        return items


class CurrencyCode(StrictString):
    """Three upper-case letters; whether money exists in it is for the domain to say."""

    default_error_messages = {"pattern": "Send three upper-case letters of ISO 4217, like EUR."}

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=3, pattern="[A-Z]{3}", **options)


class Timestamp(_StrictField, serializers.DateTimeField):
    """An RFC 3339 time with its zone, given back in UTC."""

    default_error_messages = {"invalid": TIMESTAMP_HELP}

    def to_internal_value(self, data: object) -> datetime:
        """Return the aware time in UTC."""
        try:
            return parse_timestamp(data) if isinstance(data, str) else self.fail("invalid")
        except ValueError:
            self.fail("invalid")


class Metadata(_StrictField, serializers.DictField):
    """A JSON object of the client's own: bounded, stored and given back as it is, never interpreted."""

    default_error_messages = {
        "invalid": "Send a JSON object.",
        "max_keys": f"Send at most {METADATA_KEYS_MAX} keys.",
        "max_key_length": f"Send keys of 1 to {METADATA_KEY_LENGTH_MAX} characters.",
        "max_bytes": f"Send at most {METADATA_BYTES_MAX} bytes.",
        "max_depth": f"Nest at most {METADATA_DEPTH_MAX} levels.",
        "max_value": "Send numbers between -2^53 and 2^53; larger ones as strings.",
    }

    def to_internal_value(self, data: object) -> dict[str, Any]:
        """Return the object."""
        if not isinstance(data, dict):
            self.fail("invalid")
        self._check(data, depth=1)
        if len(json.dumps(data, ensure_ascii=False).encode()) > METADATA_BYTES_MAX:
            self.fail("max_bytes")
        return data

    def _check(self, value: object, *, depth: int) -> None:
        if isinstance(value, (dict, list)) and depth > METADATA_DEPTH_MAX:
            self.fail("max_depth")
        if isinstance(value, dict):
            self._check_keys(value)
            for member in value.values():
                self._check(member, depth=depth + 1)
        elif isinstance(value, list):
            for item in value:
                self._check(item, depth=depth + 1)
        elif isinstance(value, (int, float)) and not -METADATA_NUMBER_MAX <= value <= METADATA_NUMBER_MAX:
            self.fail("max_value")

    def _check_keys(self, value: dict[str, object]) -> None:
        if len(value) > METADATA_KEYS_MAX:
            self.fail("max_keys")
        if any(not 1 <= len(key) <= METADATA_KEY_LENGTH_MAX for key in value):
            self.fail("max_key_length")
