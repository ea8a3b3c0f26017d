"""Answers from the cache: with an ETag, and where possible before the REST framework is woken.

The danger: whoever answers early forgets to ask who is calling. So an early answer is given only to a valid
key with the permission that the view declares and within the view's throttles; everything else, each
refusal included, is left to the view.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag
from rest_framework.request import Request
from rest_framework.views import APIView

from resilience.apikeys.authentication import Principal, caller_shown
from resilience.apikeys.models import ApiKey
from resilience.caching import Load, Namespace, cache_of
from resilience.limits.errors import TooManyRequests
from resilience.rest.flags import EARLY_ANSWERS

# One's own cache may keep the answer, if it asks each time; without this, the API's `no-store` would
# make the ETag useless.
KEPT_AND_ASKED = {"Cache-Control": "private, no-cache"}

View = Callable[..., HttpResponseBase]


@dataclass(frozen=True)
class Kept:
    """An answer's body in the cache: its kind, its key, and how it is read when it is not there."""

    namespace: Namespace
    key: str
    load: Load

    def body(self) -> bytes | None:
        """Return the body, None when there is none."""
        return cache_of(self.namespace).get(self.key, self.load)

    def body_at_once(self) -> bytes | None:
        """Return the body if nobody has to read it from the database first, else None."""
        envelope = cache_of(self.namespace).peek(self.key, self.load)
        return None if envelope is None else envelope.body


def answer_kept(request: HttpRequest, body: bytes) -> HttpResponseBase:
    """Return a kept body, or 304 to a client that has it already."""
    etag = quote_etag(hashlib.md5(body, usedforsecurity=False).hexdigest())
    response = HttpResponse(body, content_type="application/json", headers={**KEPT_AND_ASKED, "ETag": etag})
    return get_conditional_response(request, etag=etag, response=response) or response


def answered_early(view_class: type[APIView], kept: Callable[..., Kept]) -> View:
    """Return the view, with its GETs answered from the cache before it where nothing is in the way.

    `kept(client, **parameters of the address)` names the answer. Only for addresses that take no query.
    """
    view = view_class.as_view()

    def answer(request: HttpRequest, **parameters: Any) -> HttpResponseBase:
        if request.method != "GET" or request.META.get("QUERY_STRING"):
            return view(request, **parameters)
        exposure = EARLY_ANSWERS.expose(unit=request.path)
        begun_at, failed = time.perf_counter(), True
        try:
            early = _early(request, parameters) if exposure.is_on else None
            response = view(request, **parameters) if early is None else early
            failed = response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
        finally:
            exposure.done(failed=failed, took_s=time.perf_counter() - begun_at)
        return response

    def _early(request: HttpRequest, parameters: dict[str, Any]) -> HttpResponseBase | None:
        caller = caller_shown(request.META)
        needed = getattr(view_class, "required_permissions", {}).get("GET")
        if caller is None or needed not in caller[0].permissions:
            return None
        body = kept(caller[0].client, **parameters).body_at_once()
        if body is None or not _is_within_throttles(view_class, request, *caller):
            return None
        return answer_kept(request, body)

    # What the resolver, the schema and Django's CSRF check ask of a view.
    for name in ("cls", "view_class", "initkwargs", "view_initkwargs", "csrf_exempt", "actions"):
        if hasattr(view, name):
            setattr(answer, name, getattr(view, name))
    return answer


def _is_within_throttles(
    view_class: type[APIView], request: HttpRequest, principal: Principal, key: ApiKey
) -> bool:
    if not view_class.throttle_classes:
        return True
    asked, view = Request(request), view_class()
    asked.user, asked.auth = principal, key  # type: ignore[assignment]
    try:
        return all(throttle.allow_request(asked, view) for throttle in view.get_throttles())
    except TooManyRequests:
        return False
