"""`Consistency-Token` in, `Consistency-Token` out: a client reads its own writes (docs/reads.md).

A program keeps the token in a header. A person's browser keeps it in a cookie, signed since it comes back
from a place where anything may have happened to it.
"""

import logging
from collections.abc import Callable

import django.db
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve

from resilience.routing.permits import fallback_reads
from resilience.routing.scope import primary_only, replica_reads
from resilience.routing.tokens import (
    NEVER_REPLAYED,
    CausalityToken,
    MalformedTokenError,
    capture_token,
    parse_token,
)
from resilience.routing.watcher import watch

logger = logging.getLogger(__name__)

HEADER = "Consistency-Token"
COOKIE = "holdfast_consistency"
# A replica that is left out for longer needs a person; until then, who wrote reads the primary.
_COOKIE_AGE_S = 24 * 3600
_API_PREFIX = "/api/"
_PEOPLE_PREFIX = "/admin/"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class CausalityMiddleware:
    """Open the replica to safe API requests and lists, and tell those who wrote how far they wrote.

    Stands outside of whatever reads the database, so that a read can be answered anew as a whole.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(_API_PREFIX):
            return self._read_api(request) if request.method in _SAFE_METHODS else self._write_api(request)
        if request.path_info.startswith(_PEOPLE_PREFIX):
            return self._read_page(request) if request.method in _SAFE_METHODS else self._write_page(request)
        return self._get_response(request)

    def _read_api(self, request: HttpRequest) -> HttpResponse:
        text = request.headers.get(HEADER)
        try:
            token = None if text is None else parse_token(text)
        except MalformedTokenError:
            # It wanted some consistency, and the primary satisfies any; the text is not echoed.
            return self._read_primary(request)
        response = self._read(request, token)
        if token is not None:
            response[HEADER] = str(token)
        return response

    def _read_page(self, request: HttpRequest) -> HttpResponse:
        """Answer a list from the replica; what a person acts on, and who that person is, is never stale."""
        if not _is_list(request):
            return self._get_response(request)
        try:
            token = token_of_browser(request)
        except MalformedTokenError:
            return self._read_primary(request)
        return self._read(request, token)

    def _read(self, request: HttpRequest, token: CausalityToken | None) -> HttpResponse:
        with replica_reads(token=token) as scope:
            response = self._get_response(request)
        if scope.replica_failed and response.status_code >= 500:
            logger.warning(
                "A read failed on the replica and was repeated on the primary.",
                extra={"path": request.path_info},
            )
            with fallback_reads.permit():
                response = self._read_primary(request)
        return response

    def _read_primary(self, request: HttpRequest) -> HttpResponse:
        with primary_only():
            return self._get_response(request)

    def _write_api(self, request: HttpRequest) -> HttpResponse:
        # So that a process that only writes follows a promotion, too.
        watch()
        response = self._get_response(request)
        if response.status_code < 400:
            response[HEADER] = str(_token_after_write())
        return response

    def _write_page(self, request: HttpRequest) -> HttpResponse:
        watch()
        response = self._get_response(request)
        if response.status_code < 400:
            response.set_cookie(
                COOKIE,
                signing.dumps(str(_token_after_write()), salt=COOKIE),
                max_age=_COOKIE_AGE_S,
                secure=request.is_secure(),
                httponly=True,
                samesite="Lax",
            )
        return response


def token_of_browser(request: HttpRequest) -> CausalityToken | None:
    """Return how far this browser has written, None if it has not lately; for pages that read a replica.

    Raises MalformedTokenError for a cookie that is not ours.
    """
    cookie = request.COOKIES.get(COOKIE)
    if cookie is None:
        return None
    try:
        return parse_token(signing.loads(cookie, salt=COOKIE))
    except signing.BadSignature as error:
        raise MalformedTokenError("not a cookie of ours") from error


def _is_list(request: HttpRequest) -> bool:
    try:
        name = resolve(request.path_info, getattr(request, "urlconf", None)).url_name
    except Resolver404:
        return False
    return name is not None and name.endswith("_changelist")


def _token_after_write() -> CausalityToken:
    try:
        return capture_token()
    except django.db.Error:
        # The write is committed and is answered as such; its reader must still not see an older world.
        return NEVER_REPLAYED
