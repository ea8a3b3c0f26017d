"""The platform's API as a patient client: every request is sent again, unchanged, until it is answered."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Self

import httpx

from config.replay.errors import KeyRefusedError, NoAnswerError, StoppedError
from resilience.retry import RetryPolicy, wait_s

# Longer than the platform's own limits (statement 5 s, connect 2 s), so that it can say 503 itself.
TIMEOUT_S = 10.0
RETRY = RetryPolicy(wait_initial_s=0.2, wait_max_s=5.0)
# "Send it again with the same key" (docs/api.md), and what proxies say of a web process that is away.
_RETRIED = frozenset({429, 500, 502, 503, 504})
_NOT_ALLOWED = frozenset({401, 403})


@dataclass
class Patience:
    """How requests are repeated. `pause` waits, and returns True at once when the replay is to stop."""

    give_up_after_s: float
    pause: Callable[[float], bool]
    random: Random = field(default_factory=Random)
    monotonic: Callable[[], float] = time.monotonic


class Api:
    """Sends requests of any thread; use as a context manager."""

    def __init__(
        self,
        *,
        url: str,
        api_key: str,
        patience: Patience,
        connections_max: int,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._patience = patience
        self._http = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {api_key}"},
            timeout=TIMEOUT_S,
            limits=httpx.Limits(max_connections=connections_max, max_keepalive_connections=connections_max),
            transport=transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._http.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        key: str | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Return the answer, be it a success or a refusal.

        Repeats, with full jitter on top of Retry-After, what was not answered and what the API asks to
        send again. After `give_up_after_s` it returns the last answer, or raises NoAnswerError when
        there was none. Raises KeyRefusedError, and StoppedError when the replay is stopped meanwhile.
        """
        patience = self._patience
        deadline = patience.monotonic() + patience.give_up_after_s
        request = self._http.build_request(
            method, path, json=body, params=parameters, headers={"Idempotency-Key": key} if key else None
        )
        attempt = 0
        while True:
            attempt += 1
            answer = self._answer_to(request)
            if answer is not None and not _is_to_be_repeated(answer):
                return _allowed(answer)
            pause_s = wait_s(RETRY, attempt=attempt, random=patience.random) + _retry_after_s(answer)
            if patience.monotonic() + pause_s > deadline:
                return _last(answer, request, patience.give_up_after_s)
            if patience.pause(pause_s):
                raise StoppedError("The replay was stopped before this request was answered.")

    def _answer_to(self, request: httpx.Request) -> httpx.Response | None:
        try:
            return self._http.send(request)
        except httpx.TransportError:
            # Refused, reset, timed out: it may have been carried out or not. The key makes that harmless.
            return None


def is_replayed(answer: httpx.Response) -> bool:
    """Tell whether this is the stored answer to the same request sent before, by whichever run."""
    return "Idempotency-Replayed" in answer.headers


def problem_of(answer: httpx.Response) -> dict[str, Any]:
    """Return the RFC 9457 problem of a refusal; an answer of somebody else gets its status as code."""
    try:
        document = answer.json()
    except ValueError:
        document = None
    if isinstance(document, dict) and "code" in document:
        return document
    return {"code": f"http_{answer.status_code}", "detail": answer.text[:200]}


def _is_to_be_repeated(answer: httpx.Response) -> bool:
    """A 409 without Retry-After is a conflict with the present state, not a request still running."""
    is_running = answer.status_code == httpx.codes.CONFLICT and "Retry-After" in answer.headers
    return is_running or answer.status_code in _RETRIED


def _allowed(answer: httpx.Response) -> httpx.Response:
    if answer.status_code in _NOT_ALLOWED:
        raise KeyRefusedError(f"The API does not take this key: {problem_of(answer)['detail']}")
    return answer


def _retry_after_s(answer: httpx.Response | None) -> float:
    """Return the wait that the answer asks for; its other form, a date, is no promise of this API."""
    text = "" if answer is None else answer.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else 0.0


def _last(answer: httpx.Response | None, request: httpx.Request, waited_s: float) -> httpx.Response:
    if answer is not None:
        return answer
    raise NoAnswerError(
        f"{request.method} {request.url} got no answer for {waited_s:.0f} s. "
        "See that the stack runs, and run the replay again: it does the rest."
    )
