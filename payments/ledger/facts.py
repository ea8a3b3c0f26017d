"""What each money fact books: the chart of accounts, and one constructor per fact.

Debit is above zero. Amounts are given as positive minor units; the constructor knows the sides.
"""

from datetime import datetime
from uuid import UUID

from payments.ledger.booking import Booking, Entry, InvalidBookingError

# What buyers have paid; credited.
RECEIVABLE = "receivable"
# What went back to them, what the gateway kept, what is argued about, what was lost so; debited.
REFUNDS = "refunds"
FEES = "fees"
DISPUTES = "disputes"
DISPUTE_LOSSES = "dispute_losses"
# One per gateway account: what the gateway owes us.
CLEARING_PREFIX = "clearing:"

CAPTURED = "captured"
REFUNDED = "refunded"
REFUND_FAILED = "refund_failed"
FEE = "fee"
DISPUTE_OPENED = "dispute_opened"
DISPUTE_WON = "dispute_won"
DISPUTE_LOST = "dispute_lost"
KINDS = (CAPTURED, REFUNDED, REFUND_FAILED, FEE, DISPUTE_OPENED, DISPUTE_WON, DISPUTE_LOST)


def clearing(gateway: str) -> str:
    """Return the account that holds what `gateway` owes us."""
    return f"{CLEARING_PREFIX}{gateway}"


def capture_source(payment_id: UUID) -> str:
    """Return the name under which the capture of a payment is booked."""
    return f"capture:{payment_id}"


def captured(
    *,
    payment_id: UUID,
    order_id: UUID | None,
    gateway: str,
    amount_minor: int,
    currency: str,
    occurred_at: datetime,
) -> Booking:
    """Return the booking of a capture: the gateway owes us what a buyer has paid."""
    return Booking(
        source=capture_source(payment_id),
        kind=CAPTURED,
        gateway=gateway,
        order_id=order_id,
        payment_id=payment_id,
        occurred_at=occurred_at,
        entries=_moved(amount_minor, currency, debit=clearing(gateway), credit=RECEIVABLE),
    )


def refunded(
    *,
    refund_id: UUID,
    payment_id: UUID,
    order_id: UUID | None,
    gateway: str,
    amount_minor: int,
    currency: str,
    occurred_at: datetime,
) -> Booking:
    """Return the booking of a refund: the gateway owes us that much less."""
    return Booking(
        source=f"refund:{refund_id}",
        kind=REFUNDED,
        gateway=gateway,
        order_id=order_id,
        payment_id=payment_id,
        occurred_at=occurred_at,
        entries=_moved(amount_minor, currency, debit=REFUNDS, credit=clearing(gateway)),
    )


def refund_failed(
    *,
    refund_id: UUID,
    payment_id: UUID,
    order_id: UUID | None,
    gateway: str,
    amount_minor: int,
    currency: str,
    occurred_at: datetime,
) -> Booking:
    """Return the reversal of a refund that was booked and then came back.

    One that never succeeded was never booked, and is not reversed.
    """
    return Booking(
        source=f"refund_failed:{refund_id}",
        kind=REFUND_FAILED,
        gateway=gateway,
        order_id=order_id,
        payment_id=payment_id,
        occurred_at=occurred_at,
        entries=_moved(amount_minor, currency, debit=clearing(gateway), credit=REFUNDS),
        reverses_source=f"refund:{refund_id}",
    )


def fee(
    *,
    line_id: str,
    payment_id: UUID | None,
    order_id: UUID | None,
    gateway: str,
    amount_minor: int,
    currency: str,
    occurred_at: datetime,
) -> Booking:
    """Return the booking of a fee. `line_id`: the gateway's own id of the line in its balance."""
    return Booking(
        source=f"fee:{gateway}:{line_id}",
        kind=FEE,
        gateway=gateway,
        order_id=order_id,
        payment_id=payment_id,
        occurred_at=occurred_at,
        entries=_moved(amount_minor, currency, debit=FEES, credit=clearing(gateway)),
    )


def dispute_opened(
    *,
    dispute_id: UUID,
    payment_id: UUID,
    order_id: UUID | None,
    gateway: str,
    amount_minor: int,
    currency: str,
    occurred_at: datetime,
) -> Booking:
    """Return the booking of a dispute: the gateway takes the money back while it is argued about."""
    return Booking(
        source=f"dispute_opened:{dispute_id}",
        kind=DISPUTE_OPENED,
        gateway=gateway,
        order_id=order_id,
        payment_id=payment_id,
        occurred_at=occurred_at,
        entries=_moved(amount_minor, currency, debit=DISPUTES, credit=clearing(gateway)),
    )


def dispute_won(
    *,
    dispute_id: UUID,
    payment_id: UUID,
    order_id: UUID | None,
    gateway: str,
    amount_minor: int,
    currency: str,
    occurred_at: datetime,
) -> Booking:
    """Return the booking of a dispute that was won: the gateway owes the money again.

    A dispute that is heard of only after its end books `dispute_opened` as well.
    """
    return Booking(
        source=f"dispute_won:{dispute_id}",
        kind=DISPUTE_WON,
        gateway=gateway,
        order_id=order_id,
        payment_id=payment_id,
        occurred_at=occurred_at,
        entries=_moved(amount_minor, currency, debit=clearing(gateway), credit=DISPUTES),
    )


def dispute_lost(
    *,
    dispute_id: UUID,
    payment_id: UUID,
    order_id: UUID | None,
    gateway: str,
    amount_minor: int,
    currency: str,
    occurred_at: datetime,
) -> Booking:
    """Return the booking of a dispute that was lost: the money is gone.

    A dispute that is heard of only after its end books `dispute_opened` as well.
    """
    return Booking(
        source=f"dispute_lost:{dispute_id}",
        kind=DISPUTE_LOST,
        gateway=gateway,
        order_id=order_id,
        payment_id=payment_id,
        occurred_at=occurred_at,
        entries=_moved(amount_minor, currency, debit=DISPUTE_LOSSES, credit=DISPUTES),
    )


def _moved(amount_minor: int, currency: str, *, debit: str, credit: str) -> tuple[Entry, Entry]:
    if type(amount_minor) is not int or amount_minor <= 0:
        raise InvalidBookingError(f"a fact moves a positive number of minor units, not {amount_minor!r}")
    return Entry(debit, currency, amount_minor), Entry(credit, currency, -amount_minor)
