"""Carries out calls: idempotency as Stripe has it, then the endpoint, then the log, in one commit."""

import time

from .book import Book
from .calls import Answer, Call
from .commits import GroupCommit
from .errors import ApiError, internal_error
from .faults import Fault
from .records import LoggedRequest, StoredAnswer
from .routes import Route
from .settings import Settings
from .shapes import dump
from .stale import StaleBook
from .vocabulary import FaultKind


class Desk:
    """Where requests become effects and answers."""

    def __init__(self, *, writing: Book, reading: Book, commits: GroupCommit, settings: Settings) -> None:
        self._writing = writing
        self._reading = reading
        self._commits = commits
        self._in_flight: set[str] = set()
        self._replies: list[tuple[float, int]] = []
        self._settings = settings

    def read(self, route: Route, call: Call, fault: Fault | None) -> tuple[Answer, LoggedRequest]:
        """Answer a request that changes nothing; the caller logs it once it has replied."""
        book = self._reading
        if fault is not None and fault.kind == FaultKind.STALE_READS:
            as_of = call.received_at - fault.delay_ms / 1_000
            book = StaleBook(self._reading.connection, as_of=as_of, token=fault.token)
            if fault.token is not None and not book.is_stale:
                fault = None  # such cards are about, but this read is none of their business
        if fault is not None and fault.kind in (FaultKind.ERROR_BEFORE, FaultKind.ERROR_AFTER):
            answer = refusal(internal_error(kept=False))
        else:
            try:
                answer = route.endpoint(book, call)
            except ApiError as error:
                answer = refusal(error)
        return answer, self.receipt(call, answer, fault)

    def begin(self, call: Call) -> None:
        """Claim the call's key until `end`. Raises Stripe's 409 while another request holds it."""
        if call.key is None:
            return
        if call.key in self._in_flight:
            raise _key_in_use(call.key)
        self._in_flight.add(call.key)

    def end(self, call: Call) -> None:
        """Let go of the call's key."""
        if call.key is not None:
            self._in_flight.discard(call.key)

    async def write(self, route: Route, call: Call, fault: Fault | None) -> tuple[Answer, int]:
        """Carry out `call`; return the answer, durable, and its place in the request log."""
        try:
            return await self._commits.run(lambda: self._execute(route, call, fault))
        except ApiError as error:
            answer = refusal(error)
            answer.order_id, answer.intent_id = self.about(call)
            return answer, await self._commits.run(lambda: self._finish(call, answer, fault))

    def log_turned_away(self, call: Call, fault: Fault | None, *, status: int | None = None) -> None:
        """Log a request that never came to its endpoint; without a `status` it got no answer either."""
        order_id, intent_id = self.about(call)
        answer = Answer(status or 0, "", order_id=order_id, intent_id=intent_id)
        receipt = self.receipt(call, answer, fault)
        receipt.status = status
        receipt.replied_at = None if status is None else time.time()
        self.log(receipt)

    def log(self, receipt: LoggedRequest) -> None:
        """Write `receipt` down soon."""
        self._commits.note(lambda: self._writing.log_request(receipt))

    def log_reply(self, seq: int, *, replied_at: float) -> None:
        """Note soon that a logged request got its whole answer."""
        if not self._replies:
            self._commits.note(self._log_replies)
        self._replies.append((replied_at, seq))

    def _log_replies(self) -> None:
        self._writing.log_replies(self._replies)
        self._replies = []

    def receipt(self, call: Call, answer: Answer, fault: Fault | None) -> LoggedRequest:
        """Return the log's row for `call`, not replied yet."""
        return LoggedRequest(
            request_id=call.request_id,
            received_at=call.received_at,
            operation=call.operation,
            method=call.method,
            path=call.path,
            idempotency_key=call.key,
            body_hash=call.body_hash,
            order_id=answer.order_id,
            intent_id=answer.intent_id,
            status=answer.status,
            fault=None if fault is None else fault.kind,
            replayed=answer.replayed,
        )

    def about(self, call: Call) -> tuple[str | None, str | None]:
        """Return the order and the intent that a request without effect was about, as far as it tells."""
        intent_id = call.subject or call.form.get("payment_intent")
        if isinstance(intent_id, str):
            intent = self._reading.intent(intent_id)
            return (None if intent is None else intent.order_id), intent_id
        metadata = call.form.get("metadata")
        order_id = metadata.get("order_id") if isinstance(metadata, dict) else None
        return (order_id if isinstance(order_id, str) else None), None

    def _execute(self, route: Route, call: Call, fault: Fault | None) -> tuple[Answer, int]:
        answer = self._replay(call)
        if answer is None:
            if fault is not None and fault.kind == FaultKind.ERROR_BEFORE:
                raise internal_error(kept=fault.stored)
            answer = route.endpoint(self._writing, call)
            if fault is not None and fault.kind == FaultKind.ERROR_AFTER:
                error = internal_error(kept=fault.stored)
                answer.status, answer.body, answer.kept = 500, dump(error.body()), error.kept
        return answer, self._finish(call, answer, fault)

    def _finish(self, call: Call, answer: Answer, fault: Fault | None) -> int:
        if call.key is not None and answer.kept and not answer.replayed:
            self._writing.keep_answer(
                StoredAnswer(
                    key=call.key,
                    endpoint=f"{call.method} {call.path}",
                    body_hash=call.body_hash,
                    status=answer.status,
                    body=answer.body,
                    request_id=call.request_id,
                    order_id=answer.order_id,
                    intent_id=answer.intent_id,
                    created=call.received_at,
                )
            )
        return self._writing.log_request(self.receipt(call, answer, fault))

    def _replay(self, call: Call) -> Answer | None:
        stored = None if call.key is None else self._writing.answer(call.key)
        if stored is None or stored.created < call.received_at - self._settings.key_retention_s:
            return None
        if (stored.endpoint, stored.body_hash) != (f"{call.method} {call.path}", call.body_hash):
            raise _key_reused(stored, call)
        return Answer(
            stored.status,
            stored.body,
            order_id=stored.order_id,
            intent_id=stored.intent_id,
            replayed=True,
            headers={"Idempotent-Replayed": "true", "Original-Request": stored.request_id},
        )


def refusal(error: ApiError) -> Answer:
    """Return the answer that tells `error`."""
    return Answer(error.status, dump(error.body()), kept=error.kept, headers=error.headers)


def _key_in_use(key: str) -> ApiError:
    return ApiError(
        status=409,
        type="idempotency_error",
        code="idempotency_key_in_use",
        message="There is currently another in-progress request using this Idempotent Key (that probably"
        f" means you submitted twice, and the other request is still going through): {key}. Please try"
        " again later.",
    )


def _key_reused(stored: StoredAnswer, call: Call) -> ApiError:
    endpoint = f"{call.method} {call.path}"
    same = (
        "with the same parameters they were first used with"
        if stored.endpoint == endpoint
        else f"for the same endpoint they were first used for ('{stored.endpoint}' vs '{endpoint}')"
    )
    return ApiError(
        status=400,
        type="idempotency_error",
        message=f"Keys for idempotent requests can only be used {same}. Try using a key other than"
        f" '{call.key}' if you meant to execute a different request.",
    )
