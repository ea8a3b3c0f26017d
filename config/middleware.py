"""What every request passes first: it gets an id, and must be readable and of bounded size."""

from collections.abc import Callable
from urllib.parse import unquote_to_bytes

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from config.problems import answer_error
from config.request_ids import request_id_of
from resilience.deadlines import DeadlineExceeded, refuse_if_over, within
from resilience.rest.deadline_header import HEADER, read_deadline_s
from resilience.rest.errors import BodyTooLarge, FieldError, InvalidQuery, InvalidRequest

GetResponse = Callable[[HttpRequest], HttpResponse]


class RequestIdMiddleware:
    """Answer with `X-Request-Id` (the caller's, if safe), and keep answers of the API out of caches."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on and mark its answer."""
        request_id = request_id_of(request.META.get("HTTP_X_REQUEST_ID", ""))
        request.META["HTTP_X_REQUEST_ID"] = request_id  # what views and logs read
        response = self._get_response(request)
        response["X-Request-Id"] = request_id
        if request.path.startswith("/api/"):
            response.headers.setdefault("Cache-Control", "no-store")
        return response


class ReadableRequestMiddleware:
    """Refuse NUL and text that is not UTF-8 in path, query and headers, and bodies above the limit.

    PostgreSQL takes neither, and a view that passes one on would answer 500. Bytes in the path that are
    not UTF-8 are percent-encoded again by Django, and so name nothing.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on, or answer the problem it has."""
        refusal = _unreadable(request) or _oversized(request)
        return answer_error(refusal, request) if refusal else self._get_response(request)


class DeadlineMiddleware:
    """Give a request the time that its client waits for it: `X-Request-Deadline-Ms` (docs/retries.md).

    An answer that comes too late is still given: something may have been committed.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on, with its deadline; turn it away when that is over or no number."""
        header = request.headers.get(HEADER)
        if header is None:
            return self._get_response(request)
        try:
            left_s = read_deadline_s(header)
            with within(left_s):
                refuse_if_over()
                return self._get_response(request)
        except (InvalidRequest, DeadlineExceeded) as error:
            return answer_error(error, request)


def _unreadable(request: HttpRequest) -> InvalidQuery | None:
    if "\0" in request.path_info:
        return _refusal("", "The path has a NUL.")
    if not _is_text(unquote_to_bytes(request.META.get("QUERY_STRING", "").encode("latin-1"))):
        return _refusal("", "The query string is not UTF-8 or has a NUL.")
    for name, value in request.META.items():
        if name.startswith("HTTP_") and not _is_text(value.encode("latin-1")):
            header = name.removeprefix("HTTP_").replace("_", "-").title()
            return _refusal(header, "The header is not UTF-8 or has a NUL.")
    return None


def _is_text(raw: bytes) -> bool:
    if raw.isascii():
        return b"\0" not in raw
    try:
        return "\0" not in raw.decode("utf-8")
    except UnicodeDecodeError:
        return False


def _oversized(request: HttpRequest) -> BodyTooLarge | None:
    """Judge by what was announced; a body without a length was measured by config.bodies."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    if length.isdecimal() and int(length) > settings.BODY_BYTES_MAX:
        return BodyTooLarge(f"The body is larger than {settings.BODY_BYTES_MAX} bytes.")
    return None


def _refusal(field: str, detail: str) -> InvalidQuery:
    return InvalidQuery(detail, errors=[FieldError(field, "forbidden_character", detail)])
