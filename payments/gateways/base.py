"""The port to a payment gateway: four requests, one question, and a closed set of answers.

The danger: "no answer" read as "no". Every adapter must therefore say which of these it knows:
it happened, it was refused, it provably never left, or nobody can tell yet.
"""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True)
class Authorize:
    """Reserve `amount_minor` on the payer's method. `key` is the idempotency key."""

    key: str
    order_id: UUID
    payment_id: UUID
    amount_minor: int
    currency: str
    method: str


@dataclass(frozen=True)
class Capture:
    """Take the money that the authorization `reference` reserved."""

    key: str
    reference: str
    amount_minor: int


@dataclass(frozen=True)
class Void:
    """Let go of the authorization `reference`, or of an attempt that waits for its payer."""

    key: str
    reference: str


@dataclass(frozen=True)
class Refund:
    """Give back `amount_minor` of what was captured on `reference`."""

    key: str
    reference: str
    amount_minor: int


Request = Authorize | Capture | Void | Refund


@dataclass(frozen=True)
class Succeeded:
    """It happened. `reference` is the gateway's id of the charge (of the refund, for a refund)."""

    reference: str
    amount_minor: int


@dataclass(frozen=True)
class ActionRequired:
    """The payer has to act first (3-D Secure); `url` is where."""

    reference: str
    url: str


@dataclass(frozen=True)
class Declined:
    """A definitive refusal: it did not happen and will not under this key."""

    code: str
    message: str
    reference: str = ""


@dataclass(frozen=True)
class NotSent:
    """It provably never reached the gateway (refused connection, DNS, open breaker)."""

    error: str


@dataclass(frozen=True)
class Throttled:
    """The gateway turned it away unread and may say when to come back (seconds)."""

    retry_after_s: float | None


@dataclass(frozen=True)
class InDoubt:
    """It was sent, and what came back (if anything) does not tell whether it happened.

    `is_stored`: the gateway has finished with this key and replays this answer for it, so that
    sending again tells nothing new and only a look-up can (Stripe replays stored 500s).
    """

    error: str
    is_stored: bool = False


@dataclass(frozen=True)
class Absent:
    """Answer to a look-up only: the gateway shows no trace of the request.

    Shortly after sending, this is not yet a "no": reads of a gateway lag behind its writes.
    """


Answer = Succeeded | ActionRequired | Declined | NotSent | Throttled | InDoubt
LookupAnswer = Answer | Absent


class Gateway(Protocol):
    """One account at one gateway. Implementations are thread-safe and never retry by themselves."""

    name: str

    def send(self, request: Request) -> Answer:
        """Carry out `request` under its key. Never raises for anything that the network does."""

    def look_up(self, request: Request) -> LookupAnswer:
        """Ask what became of `request`, changing nothing. NotSent/InDoubt here mean: could not ask."""
