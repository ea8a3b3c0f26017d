"""What the book holds, one dataclass per table; the fields are the columns, in their order.

`seq` is the rowid, given by SQLite, and orders every list. JSON columns hold JSON text.
"""

import random
import time
from dataclasses import dataclass
from enum import StrEnum

# Ids need to be unique, not secret, and the system's random source costs a system call each.
_chance = random.Random()


class Status(StrEnum):
    """The life of a PaymentIntent."""

    REQUIRES_PAYMENT_METHOD = "requires_payment_method"
    REQUIRES_CONFIRMATION = "requires_confirmation"
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    REQUIRES_CAPTURE = "requires_capture"
    SUCCEEDED = "succeeded"
    CANCELED = "canceled"


CONFIRMABLE = frozenset(
    {Status.REQUIRES_PAYMENT_METHOD, Status.REQUIRES_CONFIRMATION, Status.REQUIRES_ACTION}
)
CANCELABLE = CONFIRMABLE | {Status.REQUIRES_CAPTURE}


@dataclass(slots=True)
class Intent:
    """One PaymentIntent."""

    id: str
    created: int
    amount: int
    currency: str
    capture_method: str
    client_secret: str
    order_id: str | None
    customer: str | None
    metadata: str
    details: str
    status: str
    payment_method: str | None
    amount_capturable: int = 0
    amount_received: int = 0
    latest_charge: str | None = None
    last_payment_error: str | None = None
    next_action: str | None = None
    canceled_at: int | None = None
    cancellation_reason: str | None = None


@dataclass(slots=True)
class Charge:
    """One attempt to take money: authorized or refused, later captured, refunded or released."""

    id: str
    intent_id: str
    order_id: str | None
    created: int
    amount: int
    currency: str
    customer: str | None
    metadata: str
    payment_method: str
    status: str
    failure_code: str | None = None
    failure_message: str | None = None
    decline_code: str | None = None
    amount_captured: int = 0
    amount_refunded: int = 0
    captured_at: int | None = None
    released_at: int | None = None
    capture_before: int | None = None
    balance_transaction: str | None = None
    disputed: bool = False


@dataclass(slots=True)
class Refund:
    """Money given back on one charge."""

    id: str
    intent_id: str
    charge_id: str
    order_id: str | None
    created: int
    amount: int
    currency: str
    metadata: str
    reason: str | None
    status: str
    payment_method: str
    balance_transaction: str | None = None
    failure_reason: str | None = None
    failure_balance_transaction: str | None = None


class DisputeStatus(StrEnum):
    """The life of a dispute, which nobody contests here."""

    NEEDS_RESPONSE = "needs_response"
    WON = "won"
    LOST = "lost"


@dataclass(slots=True)
class Dispute:
    """Money that the payer's bank took back. `movements`: its balance transactions, as rows, in JSON."""

    id: str
    intent_id: str
    charge_id: str
    order_id: str | None
    created: int
    amount: int
    currency: str
    reason: str
    status: str
    payment_method: str
    movements: str = "[]"


@dataclass(slots=True)
class BalanceTransaction:
    """One movement of money. `amount` is signed; `source` is the id of the charge, refund or dispute."""

    id: str
    intent_id: str
    order_id: str | None
    created: int
    type: str
    reporting_category: str
    amount: int
    fee: int
    currency: str
    source: str


@dataclass(slots=True)
class Event:
    """What happened, and the row of its subject as it was then (the values in their order, as JSON).

    `request_id` is None when no request caused it.
    """

    id: str
    type: str
    created: int
    subject: str
    snapshot: str
    request_id: str | None
    idempotency_key: str | None


@dataclass(slots=True)
class StoredAnswer:
    """The first answer to an idempotency key."""

    key: str
    endpoint: str
    body_hash: str
    status: int
    body: str
    request_id: str
    order_id: str | None
    intent_id: str | None
    created: float


@dataclass(slots=True)
class LoggedRequest:
    """One request as the sandbox saw it. `replied_at` is None when no whole answer left."""

    request_id: str
    received_at: float
    operation: str
    method: str
    path: str
    idempotency_key: str | None
    body_hash: str
    order_id: str | None = None
    intent_id: str | None = None
    status: int | None = None
    fault: str | None = None
    replayed: bool = False
    replied_at: float | None = None


@dataclass(slots=True)
class Delivery:
    """One attempt to tell the platform about an event. `settled`: there will be no other.

    `status` is None when nothing came back, or when a fault dropped the event.
    """

    event_id: str
    attempted_at: float
    status: int | None
    fault: str | None
    settled: bool


def new_id(prefix: str) -> str:
    """Return a fresh id. Ids begin with the time, so that each index grows at its end."""
    return f"{prefix}_{time.time_ns() // 1_000:014x}{_chance.getrandbits(40):010x}"
