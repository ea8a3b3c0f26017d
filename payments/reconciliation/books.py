"""What is ours beside a page of a gateway's list, and what of ours no line has mentioned: few statements."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
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


# In the order of time, a bounded piece per statement, whether or not anything of it is unmentioned: the last
# row of a piece is returned in any case, for where the next one begins.
_PIECE = f"""
SELECT c.id, c.payment_id, p.order_id, p.reference, c.reference, c.amount_minor, p.currency, c.occurred_at,
       {_IS_UNDER_WAY}, f.fact IS NOT NULL
FROM (SELECT *, lead(id) OVER (ORDER BY occurred_at, id) IS NULL AS is_last FROM ({{piece}}) AS piece) c
JOIN payments_payment p ON p.id = c.payment_id
LEFT JOIN payments_reconciled_fact f ON f.run_id = %(run_id)s AND f.fact = '{{fact}}:' || c.id
WHERE f.fact IS NULL OR c.is_last
ORDER BY c.occurred_at, c.id
"""  # noqa: S608
_BOUNDS = """
{time} < %(before)s AND ({time}, {id}) > (%(after_time)s, %(after_id)s)
AND (%(since)s::timestamptz IS NULL OR {time} >= %(since)s) ORDER BY {time}, {id} LIMIT %(limit)s
"""

# `occurred_at` is when we learned of it, which is never long before the gateway did it.
_CAPTURES = f"""
SELECT id, id AS payment_id, reference, captured_minor AS amount_minor, settled_at AS occurred_at
FROM payments_payment WHERE gateway = %(gateway)s AND captured_minor > 0
  AND {_BOUNDS.format(time="settled_at", id="id")}
"""  # noqa: S608

_REFUNDS_MADE = f"""
SELECT r.id, r.payment_id, r.reference, r.amount_minor, r.settled_at AS occurred_at
FROM payments_refund r JOIN payments_payment p ON p.id = r.payment_id
WHERE p.gateway = %(gateway)s AND r.status = 'succeeded' AND {_BOUNDS.format(time="r.settled_at", id="r.id")}
"""  # noqa: S608

_DISPUTES_OPENED = f"""
SELECT id, payment_id, reference, amount_minor, opened_at AS occurred_at
FROM payments_dispute WHERE gateway = %(gateway)s AND {_BOUNDS.format(time="opened_at", id="id")}
"""  # noqa: S608

# What of ours a list has to mention, and the name of the fact that its line notes.
MENTIONED = {
    "capture": _PIECE.format(piece=_CAPTURES, fact="capture"),
    "refund": _PIECE.format(piece=_REFUNDS_MADE, fact="refund"),
    "dispute": _PIECE.format(piece=_DISPUTES_OPENED, fact="dispute_opened"),
}

Place = tuple[datetime, UUID]
FIRST: Place = (datetime(1, 1, 2, tzinfo=UTC), UUID(int=0))


def unmentioned(
    kind: str,
    *,
    gateway: str,
    run_id: UUID,
    since: datetime | None,
    before: datetime,
    after: Place,
    limit: int,
) -> tuple[list[Unmentioned], Place | None]:
    """Return those of the next `limit` facts of ours behind `after` that no line mentioned.

    And where the next piece begins, None after the last one.
    """
    bounds = {"gateway": gateway, "run_id": run_id, "since": since, "before": before, "limit": limit}
    rows = _select(MENTIONED[kind], {**bounds, "after_time": after[0], "after_id": after[1]})
    found = [Unmentioned(*columns) for *columns, is_mentioned in rows if not is_mentioned]
    return found, (rows[-1][7], rows[-1][0]) if rows else None


def _select(statement: str, values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
