"""`Consistency-Token` in, `Consistency-Token` out: a client reads its own writes (docs/reads.md)."""

import logging
from collections.abc import Callable

import django.db
from django.http import HttpRequest, HttpResponse

from resilience.routing.scope import primary_only, replica_reads
from resilience.routing.tokens import (
    NEVER_REPLAYED,
    CausalityToken,
    MalformedTokenError,
    capture_token,
    parse_token,
)

logger = logging.getLogger(__name__)

HEADER = "Consistency-Token"
_API_PREFIX = "/api/"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class CausalityMiddleware:
    """Open the replica to safe API requests, and tell those who wrote how far they wrote.

    Stands outside of whatever reads the database, so that a read can be answered anew as a whole.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(_API_PREFIX):
            return self._get_response(request)
        if request.method in _SAFE_METHODS:
            return self._read(request)
        return self._write(request)

    def _read(self, request: HttpRequest) -> HttpResponse:
        text = request.headers.get(HEADER)
        try:
            token = None if text is None else parse_token(text)
        except MalformedTokenError:
            # It wanted some consistency, and the primary satisfies any; the text is not echoed.
            return self._read_primary(request)
        with replica_reads(token=token) as scope:
            response = self._get_response(request)
        if scope.replica_failed and response.status_code >= 500:
            logger.warning(
                "A read failed on the replica and was repeated on the primary.",
                extra={"path": request.path_info},
            )
            response = self._read_primary(request)
        if token is not None:
            response[HEADER] = str(token)
        return response

    def _read_primary(self, request: HttpRequest) -> HttpResponse:
        with primary_only():
            return self._get_response(request)

    def _write(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        if response.status_code < 400:
            response[HEADER] = str(_token_after_write())
        return response


def _token_after_write() -> CausalityToken:
    try:
        return capture_token()
    except django.db.Error:
        # The write is committed and is answered as such; its reader must still not see an older world.
        return NEVER_REPLAYED
