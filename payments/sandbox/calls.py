"""A request as the operations see it, and the answer they give."""

from collections.abc import Callable
from dataclasses import dataclass

from .book import Book, Record, snapshot
from .forms import Form
from .records import Event, new_id
from .vocabulary import Operation


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `subject` is the id in its path; `now` is in whole seconds, as Stripe's times are."""

    operation: Operation
    method: str
    path: str
    subject: str
    form: Form
    key: str | None
    body_hash: str
    request_id: str
    base_url: str
    received_at: float
    now: int


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


def record_event(book: Book, call: Call, subject: Record, *, type: str) -> None:
    """Write down that `type` happened to `subject`, and how it is now."""
    book.add_event(
        Event(
            id=new_id("evt"),
            type=type,
            created=call.now,
            subject=subject.__class__.__name__,
            snapshot=snapshot(subject),
            request_id=call.request_id,
            idempotency_key=call.key,
        )
    )
