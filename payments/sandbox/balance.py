"""The account's balance: one row for each movement of money, and the gateway's fee for it."""

from .book import Book
from .calls import Cause
from .methods import find_method
from .records import BalanceTransaction, Charge, Dispute, Refund, new_id
from .settings import Settings

_BASIS_POINTS = 10_000

_Source = Charge | Refund | Dispute


def receive(book: Book, cause: Cause, charge: Charge) -> BalanceTransaction:
    """Add what was captured of `charge`; return the row."""
    amount = charge.amount_captured
    type = "charge" if _is_card(charge.payment_method) else "payment"
    fee = fee_of(amount, cause.settings)
    return _move(book, cause, charge, type=type, category="charge", amount=amount, fee=fee)


def give_back(book: Book, cause: Cause, refund: Refund) -> BalanceTransaction:
    """Subtract `refund`; return the row. The fee of the charge is not given back, as at Stripe."""
    type = "refund" if _is_card(refund.payment_method) else "payment_refund"
    return _move(book, cause, refund, type=type, category="refund", amount=-refund.amount)


def take_back(book: Book, cause: Cause, refund: Refund) -> BalanceTransaction:
    """Add the money of a refund that failed; return the row."""
    type = "refund_failure"
    return _move(book, cause, refund, type=type, category=type, amount=refund.amount)


def withdraw(book: Book, cause: Cause, dispute: Dispute) -> BalanceTransaction:
    """Subtract what is disputed; return the row."""
    type, amount = "adjustment", -dispute.amount
    return _move(book, cause, dispute, type=type, category="dispute", amount=amount)


def reinstate(book: Book, cause: Cause, dispute: Dispute) -> BalanceTransaction:
    """Add the money of a dispute that was won; return the row."""
    type, category = "adjustment", "dispute_reversal"
    return _move(book, cause, dispute, type=type, category=category, amount=dispute.amount)


def fee_of(amount: int, settings: Settings) -> int:
    """Return the fee for a charge of `amount`: basis points of it, halves rounded up, plus a fixed part."""
    share = (2 * amount * settings.fee_bps + _BASIS_POINTS) // (2 * _BASIS_POINTS)
    return share + settings.fee_fixed


def _is_card(token: str) -> bool:
    return find_method(token).type == "card"


def _move(
    book: Book,
    cause: Cause,
    source: _Source,
    *,
    type: str,
    category: str,
    amount: int,
    fee: int = 0,
) -> BalanceTransaction:
    transaction = BalanceTransaction(
        id=new_id("txn"),
        intent_id=source.intent_id,
        order_id=source.order_id,
        created=cause.now,
        type=type,
        reporting_category=category,
        amount=amount,
        fee=fee,
        currency=source.currency,
        source=source.id,
    )
    book.add(transaction)
    return transaction
