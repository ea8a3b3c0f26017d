"""The one body that the API takes: a JSON object in UTF-8, of bounded size."""

from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.utils.http import parse_header_parameters
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.parsers import BaseParser

from resilience.rest.errors import BodyTooLarge
from resilience.rest.strict_json import read_object

_CHARSETS = {"", "utf-8", "utf8"}


class StrictJSONParser(BaseParser):
    """Read `application/json` as strict_json does; compressed bodies and other charsets are a 415."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, object]:
        """Return the object in the body; raises BodyTooLarge, UnsupportedMediaType, InvalidRequest."""
        _refuse_encodings(media_type or "", parser_context or {})
        return read_object(read_bounded(stream, bytes_max=settings.BODY_BYTES_MAX))


def read_bounded(stream: IO[bytes], *, bytes_max: int) -> bytes:
    """Return what the stream holds; raises BodyTooLarge after reading one byte more than `bytes_max`."""
    raw = stream.read(bytes_max + 1)
    if len(raw) > bytes_max:
        raise BodyTooLarge(f"The body is larger than {bytes_max} bytes. Send less in one request.")
    return raw


def _refuse_encodings(media_type: str, parser_context: Mapping[str, Any]) -> None:
    charset = parse_header_parameters(media_type)[1].get("charset", "").lower()
    request = parser_context.get("request")
    encoding = request.META.get("HTTP_CONTENT_ENCODING", "identity").lower() if request else "identity"
    if charset not in _CHARSETS or encoding != "identity":
        raise UnsupportedMediaType(media_type, "Send the body as plain JSON in UTF-8, not compressed.")
