"""The port to a payment gateway: four requests, two questions, its list, and a closed set of answers.

The danger: "no answer" read as "no". Every adapter must therefore say which of these it knows:
it happened, it was refused, it provably never left, or nobody can tell yet.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, Self
from uuid import UUID

from payments.states import DisputeStatus, MethodType

# The gateway's own words about an answer, as far as people may see them: ids, status, codes, amounts;
# never secrets, names, or anything of the payer's.
Evidence = Mapping[str, object]


@dataclass(frozen=True)
class Authorize:
    """Reserve `amount_minor` on the payer's method. `key` is the idempotency key.

    A delayed method cannot be reserved: asked so, its payer is told how to pay, and pays for good.
    """

    key: str
    order_id: UUID
    payment_id: UUID
    amount_minor: int
    currency: str
    method: str
    method_type: MethodType = MethodType.CARD
    # Where the gateway has shown it already: a look-up need not search for it.
    reference: str = field(default="", compare=False)


@dataclass(frozen=True)
class Capture:
    """Take the money that the authorization `reference` reserved."""

    key: str
    reference: str
    amount_minor: int
    currency: str


@dataclass(frozen=True)
class Void:
    """Let go of the authorization `reference`, or of an attempt that waits for its payer."""

    key: str
    reference: str
    currency: str


@dataclass(frozen=True)
class Refund:
    """Give back `amount_minor` of what was captured on `reference`."""

    key: str
    reference: str
    amount_minor: int
    currency: str


Request = Authorize | Capture | Void | Refund


@dataclass(frozen=True, kw_only=True)
class _Heard:
    evidence: Evidence | None = field(default=None, compare=False, repr=False)

    def with_evidence(self, evidence: Evidence | None) -> Self:
        """Return the same answer with the gateway's words beside it.

        Eight times as fast as `dataclasses.replace`, and every call to a gateway ends here.
        """
        answer = object.__new__(type(self))
        answer.__dict__.update(self.__dict__, evidence=evidence)
        return answer


@dataclass(frozen=True)
class Succeeded(_Heard):
    """It happened. `reference` is the gateway's id of the charge (of the refund, for a refund).

    `is_captured`: an authorization after which the money is taken already (a delayed method, or by hand).
    `capture_before`: when an authorization lapses, if the gateway says so.
    """

    reference: str
    amount_minor: int
    is_captured: bool = False
    capture_before: datetime | None = None


class ActionType(StrEnum):
    """What the payer has to do: REDIRECT to the address (3-D Secure), or pay the VOUCHER shown there."""

    REDIRECT = "redirect"
    VOUCHER = "voucher"


@dataclass(frozen=True)
class ActionRequired(_Heard):
    """The payer has to act first; `url` is where, `until` when the gateway stops to wait for it."""

    reference: str
    url: str
    type: ActionType = ActionType.REDIRECT
    until: datetime | None = None


@dataclass(frozen=True)
class Processing(_Heard):
    """The gateway has taken it up and will know later, in minutes or days. Nothing is in doubt."""

    reference: str


@dataclass(frozen=True)
class Declined(_Heard):
    """A definitive refusal: it did not happen and will not under this key."""

    code: str
    message: str
    reference: str = ""


@dataclass(frozen=True)
class NotSent(_Heard):
    """It provably never reached the gateway (refused connection, DNS, open breaker).

    `retry_after_s`: how long an open breaker wants it to wait.
    """

    error: str
    retry_after_s: float | None = None


@dataclass(frozen=True)
class Throttled(_Heard):
    """The gateway turned it away unread and may say when to come back (seconds)."""

    retry_after_s: float | None


@dataclass(frozen=True)
class InDoubt(_Heard):
    """It was sent, and what came back (if anything) does not tell whether it happened.

    `is_stored`: the gateway has finished with this key and replays this answer for it, so that
    sending again tells nothing new and only a look-up can (Stripe replays stored 500s).
    `clears_at`: from then on an absence at the gateway means that it never happened.
    """

    error: str
    is_stored: bool = False
    clears_at: datetime | None = None


@dataclass(frozen=True)
class Absent(_Heard):
    """Answer to a look-up only: the gateway shows no trace of the request.

    Shortly after sending, this is not yet a "no": reads of a gateway lag behind its writes.
    """


Answer = Succeeded | ActionRequired | Processing | Declined | NotSent | Throttled | InDoubt
LookupAnswer = Answer | Absent


class ChargeState(StrEnum):
    """How a charge stands at the gateway now. OPEN: waits for its payer, or is being worked on."""

    OPEN = "open"
    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    ENDED = "ended"


@dataclass(frozen=True)
class SeenRefund:
    """A refund that the gateway shows. `key` is ours, "" for one that was made past us."""

    reference: str
    key: str
    amount_minor: int
    status: str  # "pending", "succeeded", "failed"
    created_at: datetime
    failure_code: str = ""


@dataclass(frozen=True)
class SeenDispute:
    """A dispute that the gateway shows."""

    reference: str
    amount_minor: int
    currency: str
    reason: str
    status: DisputeStatus
    opened_at: datetime


@dataclass(frozen=True)
class Observation:
    """All that a gateway knows of one charge, at one moment. Amounts are ISO minor units.

    `payment_id` and `key` are what we sent along, None and "" for a charge that is not ours.
    `captured_at` and `capture_before` as far as the gateway tells.
    """

    reference: str
    state: ChargeState
    amount_minor: int
    captured_minor: int
    currency: str
    payment_id: UUID | None
    key: str
    refunds: tuple[SeenRefund, ...] = ()
    disputes: tuple[SeenDispute, ...] = ()
    capture_before: datetime | None = None
    evidence: Evidence | None = field(default=None, compare=False, repr=False)


class LineKind(StrEnum):
    """What moved the money of a line in a gateway's list."""

    CHARGE = "charge"
    REFUND = "refund"
    REFUND_FAILED = "refund_failed"
    DISPUTE = "dispute"
    DISPUTE_WON = "dispute_won"
    OTHER = "other"


@dataclass(frozen=True)
class StatementLine:
    """One movement of money in a gateway's own list. `amount_minor` is signed: money out is below zero.

    `source` is the gateway's id of the charge attempt, refund or dispute; `reference` that of the charge
    as payments name it, "" when the line names none.
    """

    id: str
    kind: LineKind
    amount_minor: int
    fee_minor: int
    currency: str
    source: str
    reference: str
    created_at: datetime


class Gateway(Protocol):
    """One account at one gateway. Implementations are thread-safe and never retry by themselves."""

    name: str

    def send(self, request: Request) -> Answer:
        """Carry out `request` under its key. Never raises for anything that the network does."""

    def look_up(self, request: Request, *, thoroughly: bool = False) -> LookupAnswer:
        """Ask what became of `request`, changing nothing. NotSent/InDoubt here mean: could not ask.

        `thoroughly`: an absence will be believed, so that it is worth reading a long list for.
        """

    def observe(self, reference: str) -> Observation | Absent | NotSent | Throttled | InDoubt:
        """Ask for all that the gateway knows of one charge, changing nothing."""

    def statement(self, *, since: datetime | None) -> Iterator[StatementLine]:
        """Yield the gateway's list of money movements from `since` on, newest first, page by page.

        Raises StatementUnavailableError when a page cannot be had.
        """
