"""A serializer that takes what it declares and nothing else."""

from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.fields import SkipField, empty
from rest_framework.settings import api_settings

from resilience.rest.errors import ERRORS_MAX, FieldError, InvalidRequest, pointer

_UNKNOWN_FIELD = "This field is not known here. Leave it out."


class StrictSerializer(serializers.Serializer[Any]):
    """Refuse unknown fields, also in nested serializers, with `unknown_field` for each.

    Use `Shape.read(request.data)`: it returns the validated values or raises InvalidRequest.
    Fields are made once per class, so a declaration must not change itself per request; that is
    what makes reading an order several times faster than a serializer instance per request.
    """

    default_error_messages = {"invalid": "Send a JSON object."}

    @classmethod
    def read(cls, data: object) -> dict[str, Any]:
        """Return the validated values of `data`; raises InvalidRequest naming every wrong field."""
        try:
            values: dict[str, Any] = _reader(cls).run_validation(data)
        except ValidationError as error:
            raise InvalidRequest(
                "Some fields of the request are wrong; `errors` names each.",
                errors=field_errors(error.detail),
            ) from None
        return values

    def run_validation(self, data: object = empty) -> Any:
        """Return the values, or None or the default where the declaration allows that."""
        if data is empty or data is None:
            return self.validate_empty_values(data)[1]
        return self.validate(self.to_internal_value(data))

    def to_internal_value(self, data: object) -> dict[str, Any]:
        """Return the values by field name; raises ValidationError with every error found."""
        if not isinstance(data, Mapping):
            raise ValidationError([self.error_messages["invalid"]], "invalid")
        values: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        for name, field in self._fields_taken.items():
            try:
                values[name] = field.run_validation(data.get(name, empty))
            except ValidationError as error:
                errors[name] = error.detail
            except SkipField:
                pass
        unknown = data.keys() - self._fields_taken.keys()
        for name in sorted(unknown)[:ERRORS_MAX]:
            errors[name] = [ErrorDetail(_UNKNOWN_FIELD, "unknown_field")]
        if errors:
            raise ValidationError(errors)
        return values

    @cached_property
    def _fields_taken(self) -> dict[str, Any]:
        return {name: field for name, field in self.fields.items() if not field.read_only}


@cache
def _reader(serializer: type[StrictSerializer]) -> StrictSerializer:
    """Return the one instance that reads for its class; validation leaves nothing behind in it."""
    return serializer()


def field_errors(detail: Any) -> Iterator[FieldError]:
    """Yield the errors in a DRF ValidationError's nested detail, each with its JSON pointer."""
    return _errors_below(detail, ())


def _errors_below(detail: Any, path: tuple[str | int, ...]) -> Iterator[FieldError]:
    if isinstance(detail, dict):
        for key, inner in detail.items():
            of_the_whole = key == api_settings.NON_FIELD_ERRORS_KEY
            yield from _errors_below(inner, path if of_the_whole else (*path, key))
    elif isinstance(detail, list):
        for inner in detail:
            yield from _errors_below(inner, path)
    else:
        yield FieldError(pointer(path), getattr(detail, "code", "invalid"), str(detail))
