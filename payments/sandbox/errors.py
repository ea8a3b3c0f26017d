"""Errors in Stripe's shape, each with its HTTP status."""

from typing import Any

DOC_URL = "https://stripe.com/docs/error-codes/"


class ApiError(Exception):
    """A request that the sandbox refuses. Nothing has changed in the book.

    `kept` says whether the answer is stored under the idempotency key: Stripe stores what an endpoint
    answered once it ran, and nothing for a request that was turned away before.
    `payment_intent` is the object shown inside the error.
    """

    def __init__(
        self,
        *,
        status: int,
        message: str,
        type: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        payment_intent: dict[str, Any] | None = None,
        kept: bool = False,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.type = type
        self.code = code
        self.param = param
        self.payment_intent = payment_intent
        self.kept = kept
        self.headers = headers or {}

    def body(self) -> dict[str, Any]:
        """Return the JSON body."""
        error: dict[str, Any] = {}
        if self.code is not None:
            error["code"] = self.code
            error["doc_url"] = doc_url(self.code)
        error["message"] = self.message
        if self.param is not None:
            error["param"] = self.param
        if self.payment_intent is not None:
            error["payment_intent"] = self.payment_intent
        error["type"] = self.type
        return {"error": error}


def doc_url(code: str) -> str:
    """Return the page at Stripe that explains `code`."""
    return DOC_URL + code.replace("_", "-")


def invalid(message: str, *, param: str | None = None, code: str | None = None) -> ApiError:
    """A request that does not pass validation."""
    return ApiError(status=400, message=message, param=param, code=code)


def missing_resource(*, kind: str, id: str, param: str = "id", status: int = 404) -> ApiError:
    """A reference to something that is not in the book."""
    return ApiError(
        status=status, code="resource_missing", param=param, message=f"No such {kind}: '{id[:255]}'"
    )


def unexpected_state(message: str, *, payment_intent: dict[str, Any]) -> ApiError:
    """A step that the PaymentIntent's status does not allow."""
    return ApiError(
        status=400,
        code="payment_intent_unexpected_state",
        message=message,
        payment_intent=payment_intent,
        kept=True,
    )


def internal_error(*, kept: bool) -> ApiError:
    """Stripe's 500: something broke, and the caller cannot tell at which point."""
    return ApiError(
        status=500,
        type="api_error",
        message="An unknown error occurred",
        kept=kept,
    )


def rate_limited(*, retry_after_s: int) -> ApiError:
    """Turned away unread."""
    return ApiError(
        status=429,
        code="rate_limit",
        message="Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits.",
        headers={"Retry-After": str(retry_after_s), "Stripe-Rate-Limited-Reason": "global-rate"},
    )
