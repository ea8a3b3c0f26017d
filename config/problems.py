"""Every error as RFC 9457 `application/problem+json`; the one place that knows HTTP status codes.

`type` and `code` are stable and what clients match on, `detail` is for people, `errors` names fields.
"""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django import db
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.encoding import escape_uri_path
from psycopg.errors import IdleInTransactionSessionTimeout
from rest_framework import exceptions as drf

from resilience.errors import HoldfastError
from resilience.rest.errors import ERRORS_MAX, FieldError, InvalidRequest
from resilience.rest.rendering import to_json
from resilience.rest.serializers import field_errors

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"

# A refusal without a line here is a 422 (understood, and the business says no), an operational error a 503.
STATUS_BY_CODE: Mapping[str, int] = {
    "invalid_json": 400,
    "invalid_query": 400,
    "invalid_cursor": 400,
    "validation_failed": 400,
    "card_number_refused": 400,
    "api_key_in_url": 400,
    "slider_out_of_bounds": 400,
    "slider_unknown": 400,
    "lab_setting_not_a_number": 400,
    "lab_run_too_long": 400,
    "webhook_signature_invalid": 400,
    "idempotency_key_missing": 400,
    "idempotency_key_invalid": 400,
    "not_found": 404,
    "gateway_not_found": 404,
    "order_not_found": 404,
    "payment_not_found": 404,
    "product_not_found": 404,
    "refund_not_found": 404,
    "report_not_found": 404,
    "webhook_delivery_not_found": 404,
    "webhook_endpoint_not_found": 404,
    "reconciliation_exception_not_found": 404,
    "conflict": 409,
    "nothing_to_refund": 409,
    "payment_disputed": 409,
    "reconciliation_exception_resolved": 409,
    "stock_below_reserved": 409,
    "request_in_progress": 409,
    "events_forgotten": 410,
    "body_too_large": 413,
    "idempotency_key_reused": 422,
    "refund_too_large": 422,
    "throttled": 429,
    "deadline_exceeded": 504,
}
REFUSAL_STATUS = 422
OPERATIONAL_STATUS = 503
RETRY_AFTER_DEFAULT_S = 1

# It does not say that nothing was done: a connection that breaks while committing does not tell.
_UNAVAILABLE = "A part of the platform does not answer. Send the same request again."
_INTERNAL_ERROR = "Something went wrong on our side. If it stays, tell us the X-Request-Id of this answer."


@dataclass(frozen=True)
class Problem:
    """What an error says to a client."""

    status: int
    code: str
    detail: str
    errors: tuple[FieldError, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def as_response(self, request: HttpRequest) -> HttpResponse:
        """Return the answer that carries this problem."""
        return HttpResponse(
            to_json(self.document(instance=request.path)),
            status=self.status,
            content_type=CONTENT_TYPE,
            headers=dict(self.headers),
        )

    def document(self, *, instance: str) -> dict[str, object]:
        """Return what is sent; `instance` is the path that was asked for."""
        document: dict[str, object] = {
            "type": f"urn:holdfast:problem:{self.code}",
            "title": self.code.replace("_", " ").capitalize(),
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "instance": escape_uri_path(instance),
        }
        if self.errors:
            document["errors"] = [vars(error) for error in self.errors]
        return document


def exception_handler(error: Exception, context: Mapping[str, Any]) -> HttpResponse:
    """Answer whatever a view raised (DRF calls this)."""
    return answer_error(error, context["request"]._request)


def answer_error(error: Exception | None, request: HttpRequest) -> HttpResponse:
    """Return the answer to an error, and log the ones that are ours; a trace goes to the log only."""
    problem = problem_of(error)
    place = {"path": request.path, "request_id": request.META.get("HTTP_X_REQUEST_ID")}
    if problem.code == "internal_error":
        logger.error("A request failed on a bug.", extra=place, exc_info=error)
    elif problem.status == OPERATIONAL_STATUS:
        logger.warning("A request was turned away.", extra={**place, "cause": repr(error)})
    return problem.as_response(request)


def problem_of(error: Exception | None) -> Problem:
    """Return what an error says to a client; anything not foreseen is `internal_error`, without its text."""
    match error:
        case HoldfastError():
            return _of_holdfast(error)
        case drf.APIException():
            return _of_framework(error)
        case db.OperationalError() | db.InterfaceError():
            return Problem(503, "temporarily_unavailable", _UNAVAILABLE, headers=_retry_after(None))
        case db.InternalError(__cause__=IdleInTransactionSessionTimeout()):
            # This process stood still for seconds, and the server undid what it had begun.
            return Problem(503, "temporarily_unavailable", _UNAVAILABLE, headers=_retry_after(None))
        case Http404():
            return Problem(404, "not_found", "There is nothing here.")
        case PermissionDenied():
            return Problem(403, "permission_denied", "This is not allowed.")
        case RequestDataTooBig():
            return Problem(413, "body_too_large", "The body is too large.")
        case SuspiciousOperation():
            return Problem(400, "bad_request", "The request cannot be read.")
        case _:
            return Problem(500, "internal_error", _INTERNAL_ERROR)


def _of_holdfast(error: HoldfastError) -> Problem:
    default = OPERATIONAL_STATUS if error.retryable else REFUSAL_STATUS
    return Problem(
        status=STATUS_BY_CODE.get(error.code, default),
        code=error.code,
        detail=error.message,
        errors=error.errors if isinstance(error, InvalidRequest) else (),
        headers=_retry_after(error.facts.get("retry_after_s")) if error.retryable else {},
    )


def _of_framework(error: drf.APIException) -> Problem:
    if isinstance(error, drf.ValidationError):
        errors = tuple(field_errors(error.detail))[:ERRORS_MAX]
        return Problem(400, "validation_failed", "Some fields of the request are wrong.", errors)
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if isinstance(error, drf.Throttled):
        headers |= _retry_after(getattr(error, "wait", None))
    code = getattr(error.detail, "code", error.default_code)
    return Problem(error.status_code, code, str(error.detail), headers=headers)


def _retry_after(wait_s: object) -> dict[str, str]:
    seconds = wait_s if isinstance(wait_s, int | float) else RETRY_AFTER_DEFAULT_S
    return {"Retry-After": str(max(RETRY_AFTER_DEFAULT_S, math.ceil(seconds)))}
