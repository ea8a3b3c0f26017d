"""Comparing the ledger with the payments: what was taken and given back is booked, once, at its amount (L5).

A booking that is posted again is left out without a look. So one that said something else shows here.
"""

from collections.abc import Iterator
from uuid import UUID

from payments.ledger.findings import Finding
from payments.ledger.rows import select

# A batch is one statement of some 50 ms, well below the role's time limit of 5 s.
_PAYMENTS_MAX = 2_000
_NIL = UUID(int=0)


def disagreements() -> Iterator[Finding]:
    """Yield the payments whose amounts are not those of their bookings.

    Both change in one transaction, and each batch is one statement: there is no moment between.
    """
    last_id = _NIL
    while batch := select(_BATCH, [last_id, _PAYMENTS_MAX]):
        for payment_id, captured, refunded, booked_captured, booked_refunded in batch:
            said = {"captured": (captured, booked_captured), "refunded": (refunded, booked_refunded)}
            for word, (minor, booked_minor) in said.items():
                if minor != booked_minor:
                    name = f"payment {payment_id}"
                    message = f"{name} has {minor} {word}, and {booked_minor} is booked."
                    yield Finding("L5", message, (name,))
        last_id = batch[-1][0]


_BATCH = """
SELECT p.id, p.captured_minor, p.refunded_minor, booked.captured, booked.refunded
FROM (
    SELECT id, order_id, currency, captured_minor, refunded_minor
    FROM payments_payment WHERE id > %s ORDER BY id LIMIT %s
) AS p
CROSS JOIN LATERAL (
    SELECT coalesce(-sum(e.amount_minor) FILTER (WHERE e.account = 'receivable'), 0)::bigint AS captured,
           coalesce(sum(e.amount_minor) FILTER (WHERE e.account = 'refunds'), 0)::bigint AS refunded
    FROM payments_ledger_transaction t JOIN payments_ledger_entry e ON e.transaction_id = t.id
    WHERE t.order_id = p.order_id AND t.payment_id = p.id AND e.currency = p.currency
) AS booked
ORDER BY p.id
"""
