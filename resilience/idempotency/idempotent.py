"""Do a request's effect once per Idempotency-Key.

The danger: a client that got no answer sends its order again. The promise: key and effect commit in
one transaction, so either both are there, and the second request gets the stored answer, or neither
is, and the second request does the work. Nothing is stored for a request that was never carried out.

What is stored: the answers that `perform` returns, and its refusals that are final (402, 404, 409, 410,
422 and not retryable). Everything else, 400, 401, 403, 413, 415, 429 and 5xx, may turn out otherwise
when sent again, so it is not.
"""

from collections.abc import Callable
from datetime import datetime

from django.db import transaction
from django.http import HttpResponse
from rest_framework.request import Request

from resilience import clock
from resilience.apikeys.authentication import principal_of
from resilience.crashpoints import crashpoint
from resilience.errors import Refusal
from resilience.idempotency import store
from resilience.idempotency.answer import Answer
from resilience.idempotency.errors import IdempotencyKeyReused, RequestInProgress
from resilience.idempotency.scope import Scope, fingerprint, read_scope

STATUSES_STORED = frozenset({402, 404, 409, 410, 422})
REPLAYED_HEADER = "Idempotency-Replayed"
# The second look finds what the first could not see yet; a third would need a record that vanished.
_LOOKS_MAX = 2
_RETRY_AFTER_S = 1


def idempotent(request: Request, *, perform: Callable[[], Answer]) -> HttpResponse:
    """Answer with what `perform` returned, now or the first time this key came with this body.

    `perform` runs inside this transaction and refuses by raising; validate before, wait after.
    Raises IdempotencyKeyMissing, IdempotencyKeyInvalid, IdempotencyKeyReused (other body),
    RequestInProgress (still running), and whatever `perform` raises that is not stored.
    """
    scope = read_scope(request._request, client=principal_of(request).client)
    once = _Once(scope, fingerprint(request.data), clock.now())
    try:
        return once.answer(perform)
    except _RefusedError as refused:
        refusal = refused.refusal
    view = request.parser_context["view"]
    response: HttpResponse = view.get_exception_handler()(refusal, view.get_exception_handler_context())
    if refusal.retryable or response.status_code not in STATUSES_STORED:
        raise refusal
    # The refused effect is rolled back by now; its answer is stored in a transaction of its own.
    return once.answer(lambda: Answer.of_response(response))


class _RefusedError(Exception):
    """Carries a refusal of `perform` out of the transaction, apart from our own refusals."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


class _OvertakenError(Exception):
    """An answer was stored between our snapshot and our lock: roll back, and look again."""


class _Once:
    """One request: where its answer belongs and what it must match."""

    def __init__(self, scope: Scope, digest: bytes, now: datetime) -> None:
        self._scope = scope
        self._digest = digest
        self._now = now

    def answer(self, perform: Callable[[], Answer]) -> HttpResponse:
        for _look in range(_LOOKS_MAX):
            try:
                with transaction.atomic(durable=True):
                    return self._find() or self._perform_and_store(perform)
            except _OvertakenError:
                continue
        raise _in_progress()

    def _find(self) -> HttpResponse | None:
        found = store.lock_and_find(self._scope)
        if found.answer is None:
            if not found.lock_held:
                raise _in_progress()
            return None
        if found.fingerprint != self._digest:
            raise IdempotencyKeyReused(
                "This Idempotency-Key belongs to a request with another body. Take a new one."
            )
        response = found.answer.as_response()
        response[REPLAYED_HEADER] = "true"
        return response

    def _perform_and_store(self, perform: Callable[[], Answer]) -> HttpResponse:
        try:
            answer = perform()
        except Refusal as refusal:
            raise _RefusedError(refusal) from refusal
        crashpoint("idempotency.before_store")
        if not store.insert(self._scope, digest=self._digest, answer=answer, now=self._now):
            raise _OvertakenError
        crashpoint("idempotency.before_commit")
        return answer.as_response()


def _in_progress() -> RequestInProgress:
    return RequestInProgress(
        "The same request is still running. Send it again in a moment.", retry_after_s=_RETRY_AFTER_S
    )
