"""Payments, operations and refunds in SQL: locked, read and written for a whole batch at once."""

from payments.store.changes import (
    ConcurrentTransitionError,
    IllegalTransitionError,
    NewOperation,
    NewPayment,
    NewRefund,
    OperationChange,
    PaymentChange,
    RefundChange,
)
from payments.store.exceptions import Difference, open_exceptions
from payments.store.locking import (
    lock_payments,
    lock_pending_refunds,
    lock_tenders,
    pending_refunds_of,
    refusals_of,
)
from payments.store.payers import Payer, payers_of
from payments.store.writing import (
    book_refund,
    intend,
    note_unanswered,
    open_payments,
    reserve_refunds,
    send_again,
    settle,
    settle_refunds,
)

__all__ = [
    "ConcurrentTransitionError",
    "Difference",
    "IllegalTransitionError",
    "NewOperation",
    "NewPayment",
    "NewRefund",
    "OperationChange",
    "Payer",
    "PaymentChange",
    "RefundChange",
    "book_refund",
    "intend",
    "lock_payments",
    "lock_pending_refunds",
    "lock_tenders",
    "note_unanswered",
    "open_exceptions",
    "open_payments",
    "payers_of",
    "pending_refunds_of",
    "refusals_of",
    "reserve_refunds",
    "send_again",
    "settle",
    "settle_refunds",
]
