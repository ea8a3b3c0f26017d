"""What is ours beside a page of a gateway's list, and what of ours no line has mentioned: few statements."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from payments.gateways.base import StatementLine
from payments.ledger.facts import FEES
from payments.reconciliation.matching import Books, OurCharge, OurDispute, OurRefund
from payments.states import DisputeStatus, RefundStatus
from resilience.sql import uuid_array

_IS_UNDER_WAY = """
(p.in_doubt_since IS NOT NULL OR EXISTS (
  SELECT FROM payments_operation o WHERE o.payment_id = p.id AND o.phase <> 'settled'))
"""

# Of several payments that name one charge, the one that was taken last in the order is the better guess.
_CHARGES = f"""
SELECT p.id, p.order_id, p.reference, p.amount_minor, p.currency, p.captured_minor, {_IS_UNDER_WAY}
FROM payments_payment p WHERE p.gateway = %s AND p.reference = ANY(%s) AND p.reference <> ''
ORDER BY p.captured_minor > 0, p.id
"""  # noqa: S608 # nothing of it comes from outside

_REFUNDS = """
SELECT id, payment_id, reference, amount_minor, status FROM payments_refund
WHERE payment_id = ANY(%s::uuid[]) AND reference <> ''
"""

_DISPUTES = """
SELECT id, payment_id, reference, amount_minor, currency, status FROM payments_dispute
WHERE gateway = %s AND reference = ANY(%s)
"""

_FEES = """
SELECT substr(t.source, %s), e.amount_minor
FROM payments_ledger_transaction t JOIN payments_ledger_entry e ON e.transaction_id = t.id
WHERE t.source = ANY(%s) AND e.account = %s
"""


def books_of(gateway: str, lines: Sequence[StatementLine]) -> Books:
    """Return what is ours of these lines, from the primary."""
    charges = {
        row[2]: OurCharge(*row) for row in _select(_CHARGES, [gateway, [line.reference for line in lines]])
    }
    payment_ids = [charge.id for charge in charges.values()]
    return Books(
        gateway,
        charges=charges,
        refunds={
            row[2]: OurRefund(row[0], row[1], row[2], row[3], RefundStatus(row[4]))
            for row in _select(_REFUNDS, [uuid_array(payment_ids)])
        },
        disputes={
            row[2]: OurDispute(row[0], row[1], row[2], row[3], row[4], DisputeStatus(row[5]))
            for row in _select(_DISPUTES, [gateway, [line.source for line in lines]])
        },
        fees=_fees(gateway, lines),
    )


def _fees(gateway: str, lines: Sequence[StatementLine]) -> dict[str, int]:
    prefix = f"fee:{gateway}:"
    sources = [f"{prefix}{line.id}" for line in lines if line.fee_minor]
    # SQL counts from 1.
    return dict(_select(_FEES, [len(prefix) + 1, sources, FEES])) if sources else {}


@dataclass(frozen=True)
class Unmentioned:
    """A fact of ours that no line of a pass mentioned. `charge` and `reference`: the gateway's ids."""

    id: UUID
    payment_id: UUID
    order_id: UUID
    charge: str
    reference: str
    amount_minor: int
    currency: str
    occurred_at: datetime
    is_under_way: bool


# `occurred_at` is when we learned of it, which is never long before the gateway did it.
_CAPTURES = f"""
SELECT p.id, p.id, p.order_id, p.reference, p.reference, p.captured_minor, p.currency, p.settled_at,
       {_IS_UNDER_WAY}
FROM payments_payment p
WHERE p.gateway = %(gateway)s AND p.captured_minor > 0 AND p.id > %(after)s
  AND p.settled_at < %(before)s AND (%(since)s::timestamptz IS NULL OR p.settled_at >= %(since)s)
  AND NOT EXISTS (SELECT FROM payments_reconciled_fact f
                  WHERE f.run_id = %(run_id)s AND f.fact = 'capture:' || p.id)
ORDER BY p.id LIMIT %(limit)s
"""  # noqa: S608

_MADE_REFUNDS = f"""
SELECT r.id, p.id, p.order_id, p.reference, r.reference, r.amount_minor, p.currency, r.settled_at,
       {_IS_UNDER_WAY}
FROM payments_refund r JOIN payments_payment p ON p.id = r.payment_id
WHERE p.gateway = %(gateway)s AND r.status = 'succeeded' AND r.id > %(after)s
  AND r.settled_at < %(before)s AND (%(since)s::timestamptz IS NULL OR r.settled_at >= %(since)s)
  AND NOT EXISTS (SELECT FROM payments_reconciled_fact f
                  WHERE f.run_id = %(run_id)s AND f.fact = 'refund:' || r.id)
ORDER BY r.id LIMIT %(limit)s
"""  # noqa: S608

_OPENED_DISPUTES = f"""
SELECT d.id, p.id, p.order_id, p.reference, d.reference, d.amount_minor, d.currency, d.opened_at,
       {_IS_UNDER_WAY}
FROM payments_dispute d JOIN payments_payment p ON p.id = d.payment_id
WHERE d.gateway = %(gateway)s AND d.id > %(after)s
  AND d.opened_at < %(before)s AND (%(since)s::timestamptz IS NULL OR d.opened_at >= %(since)s)
  AND NOT EXISTS (SELECT FROM payments_reconciled_fact f
                  WHERE f.run_id = %(run_id)s AND f.fact = 'dispute_opened:' || d.id)
ORDER BY d.id LIMIT %(limit)s
"""  # noqa: S608


def unmentioned_captures(**bounds: Any) -> list[Unmentioned]:
    """Return captures that no line mentioned, by id.

    Bounds: `gateway`, `run_id`, `since` (or None), `before`, `after` (an id), `limit`.
    """
    return [Unmentioned(*row) for row in _select(_CAPTURES, bounds)]


def unmentioned_refunds(**bounds: Any) -> list[Unmentioned]:
    """Return refunds that succeeded, as `unmentioned_captures` does."""
    return [Unmentioned(*row) for row in _select(_MADE_REFUNDS, bounds)]


def unmentioned_disputes(**bounds: Any) -> list[Unmentioned]:
    """Return disputes, as `unmentioned_captures` does."""
    return [Unmentioned(*row) for row in _select(_OPENED_DISPUTES, bounds)]


def _select(statement: str, values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
