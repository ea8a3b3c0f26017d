"""A request as the operations see it, and the answer they give."""

from collections.abc import Callable
from dataclasses import dataclass

from .book import Book, Record, snapshot
from .forms import Form
from .records import Event, new_id
from .settings import Settings
from .vocabulary import Operation


@dataclass(frozen=True, slots=True)
class Cause:
    """Why the book changes: a request, or time that has passed, which has no `request_id` and no `key`.

    `now` is `received_at` in whole seconds, as Stripe's times are.
    """

    received_at: float
    now: int
    settings: Settings
    request_id: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Cause):
    """One request. `subject` is the id in its path."""

    request_id: str
    operation: Operation
    method: str
    path: str
    subject: str
    form: Form
    body_hash: str
    base_url: str


@dataclass(slots=True)
class Answer:
    """A status and a JSON body, and which order and intent they are about (for the request log)."""

    status: int
    body: str
    order_id: str | None = None
    intent_id: str | None = None
    kept: bool = True
    replayed: bool = False
    headers: dict[str, str] | None = None


Endpoint = Callable[[Book, Call], Answer]


def record_event(book: Book, cause: Cause, subject: Record, *, type: str) -> None:
    """Write down that `type` happened to `subject`, and how it is now."""
    book.add_event(
        Event(
            id=new_id("evt"),
            type=type,
            created=cause.now,
            subject=subject.__class__.__name__,
            snapshot=snapshot(subject),
            request_id=cause.request_id,
            idempotency_key=cause.key,
        )
    )
