"""A breaker around each request to a gateway account, under the `stripe` SDK.

The danger: a gateway that is down is called by every saga of every worker, each waiting for its time limit.
A request that the breaker holds back has provably not left, which is all that its caller needs to know: a
payment may go to another account, and what is in doubt stays so.
"""

import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import stripe

from payments.gateways.http import (
    TOO_LATE_S,
    HeldBackError,
    NoAnswerError,
    NotReachedError,
    ThinClient,
    TooLateError,
)
from payments.gateways.retry_after import retry_after_s
from resilience import clock
from resilience.breaker import BreakerPolicy, CallOutcome, CircuitOpen, breaker, declare
from resilience.deadlines import remaining_s

# Asked again within five seconds of coming back, and at full speed five later: a minute's backlog at half
# of what the workers can do is drained in another, and a longer ramp would show in that.
POLICY = BreakerPolicy(slow_call_s=4.0, open_max_s=5.0, ramp_s=5.0)
# How long the one caller waits that would probe; a lease comes with the next beat (0.25 s).
_LEASE_WAIT_S = 0.6
_KIND = "gateway"
declare(_KIND, POLICY)


def breaker_name(account: str) -> str:
    """Return the name of the breaker of a gateway account."""
    return f"{_KIND}:{account}"


class GuardedClient(stripe.HTTPClient):
    """Sends by `inner` what the breaker of `account` lets through. Raises as it does, and HeldBackError."""

    name = "holdfast"

    def __init__(self, inner: ThinClient, *, account: str) -> None:
        super().__init__()
        self._inner = inner
        self._breaker = breaker_name(account)

    def request_with_retries(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        post_data: Any = None,
        max_network_retries: int | None = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        """Send once, if at all."""
        return self.request(method, url, headers, post_data)

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        """Return body, status and headers. A charge leaves the first probes of a return to look-ups."""
        try:
            call = breaker(self._breaker).enter(lease_wait_s=_LEASE_WAIT_S, is_read=method.upper() == "GET")
        except CircuitOpen as held_back:
            raise HeldBackError(held_back.message, retry_after_s=held_back.retry_after_s) from held_back
        # What is nobody's fault but ours, unless it turns out otherwise.
        outcome, wish_s = CallOutcome.CALLER_FAULT, None
        begun_at = time.monotonic()
        try:
            answer = self._inner.request(method, url, headers, post_data)
            outcome = _outcome_of(answer[1], answer[2])
            if outcome in (CallOutcome.OVERLOAD, CallOutcome.SERVER_FAULT):
                wish_s = retry_after_s(answer[2], now=clock.now())
        except (NotReachedError, NoAnswerError) as error:
            outcome = _outcome_of_error(error, took_s=time.monotonic() - begun_at)
            raise
        finally:
            call.done(outcome, time.monotonic() - begun_at, retry_after_s=wish_s)
        return answer

    def close(self) -> None:
        """Close the idle connections."""
        self._inner.close()


def _outcome_of(status: int, headers: Mapping[str, str]) -> CallOutcome:
    if status < HTTPStatus.BAD_REQUEST or headers.get("Idempotent-Replayed") == "true":
        # A replayed 500 tells of the day when it was stored.
        return CallOutcome.SUCCESS
    if status == HTTPStatus.PAYMENT_REQUIRED:
        return CallOutcome.REFUSAL
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return CallOutcome.OVERLOAD
    # Also 503: a proxy without a server behind it says it for ever, and politely.
    is_theirs = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return CallOutcome.SERVER_FAULT if is_theirs else CallOutcome.CALLER_FAULT


def _outcome_of_error(error: NotReachedError | NoAnswerError, *, took_s: float) -> CallOutcome:
    if isinstance(error, TooLateError) or isinstance(error.__cause__, TimeoutError):
        # Cut by our own deadline before it was even slow, it shows nothing: a call that waited too long for
        # a thread, behind another account that hangs, would open the breaker of a sound one.
        left_s = remaining_s()
        is_cut = left_s is not None and left_s < TOO_LATE_S and took_s < POLICY.slow_call_s
        return CallOutcome.CUT_SHORT if is_cut else CallOutcome.TIMEOUT
    return CallOutcome.UNREACHABLE if isinstance(error, NotReachedError) else CallOutcome.TRANSPORT
