"""Authorizations end: what is not captured by its `capture_before` is let go."""

from . import confirmation
from .book import Book
from .calls import Answer, Call, Cause
from .errors import unexpected_state
from .intents import answer_with, let_go, load_intent
from .records import Status
from .shapes import intent_shape

REASON = "automatic"

_EXPIRED = """
SELECT intent_id FROM charges
WHERE status = 'succeeded' AND captured_at IS NULL AND released_at IS NULL AND capture_before <= ?
ORDER BY capture_before LIMIT ?
"""


def expired_intents(book: Book, *, now: float, limit: int) -> list[str]:
    """Return ids of intents whose authorization is over, the earliest first."""
    return [row[0] for row in book.connection.execute(_EXPIRED, (now, limit))]


def expire(book: Book, cause: Cause, intent_id: str) -> None:
    """Let go of the authorization, unless it was captured or canceled meanwhile."""
    intent = book.intent(intent_id)
    if intent is None or intent.status != Status.REQUIRES_CAPTURE:
        return
    let_go(book, cause, intent, reason=REASON)
    confirmation.announce(book, cause, intent)


def expire_now(book: Book, call: Call) -> Answer:
    """`POST /_expire/{id}`: does at once what time would do. Not an endpoint of Stripe."""
    intent = load_intent(book, call.subject)
    if intent.status != Status.REQUIRES_CAPTURE:
        raise unexpected_state(
            f"This PaymentIntent holds no authorization that could expire: its status is {intent.status}.",
            payment_intent=intent_shape(intent),
        )
    let_go(book, call, intent, reason=REASON)
    confirmation.announce(book, call, intent)
    return answer_with(book, intent)
