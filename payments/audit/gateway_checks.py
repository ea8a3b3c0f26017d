"""What the gateways' books say beside our payments (C1, C2, C6), and beside the ledger (L3)."""

from collections.abc import Callable

from payments.audit.book import CHARGES, MOVEMENTS, REFUNDS
from payments.audit.witness import whole_book
from resilience.audit import Check, Findings, Kind, Moment, found, register


def _in_the_book(query: str) -> Callable[[Moment], Findings]:
    def find(moment: Moment) -> Findings:
        book = whole_book(moment)
        texts = {
            "charges": book.charges_text,
            "refunds": book.refunds_text,
            "movements": book.movements_text,
        }
        return found(query, {**texts, "read_at": book.read_at})

    return find


# A payment is one tender, so an order may have as many captures as it has payments. Counted even where
# the second one was refunded later; by payment, by key, and by order for charges that name only that.
_CAPTURED_TWICE = f"""
WITH {CHARGES}, taken AS (SELECT * FROM charges WHERE captured_minor > 0)
SELECT concat('Payment ', payment_id, ' was captured ', count(*), ' times.') AS message,
       concat('payment ', payment_id) || array_agg(concat(account, ' ', reference) ORDER BY reference) AS rows
FROM taken WHERE payment_id <> '' GROUP BY payment_id HAVING count(*) > 1
UNION ALL
SELECT concat('Key ', key, ' was captured ', count(*), ' times.'),
       concat('key ', key) || array_agg(concat(account, ' ', reference) ORDER BY reference)
FROM taken WHERE key <> '' GROUP BY key HAVING count(*) > 1 AND count(DISTINCT payment_id) > 1
UNION ALL
SELECT concat('Order ', t.order_id, ' has ', t.captures, ' captures and ', p.payments, ' payments.'),
       ARRAY[concat('order ', t.order_id)]
FROM (SELECT order_id, count(*) AS captures, count(*) = count(DISTINCT payment_id) AS are_all_other
      FROM taken WHERE order_id <> '' GROUP BY order_id) t
JOIN (SELECT order_id::text AS order_id, count(*) AS payments FROM payments_payment GROUP BY 1) p
  USING (order_id)
WHERE t.captures > p.payments AND t.are_all_other
"""  # noqa: S608

# An order's total is the sum of its payments (C7 checks that).
_CAPTURED_TOO_MUCH = f"""
WITH {CHARGES}, taken AS (SELECT * FROM charges WHERE captured_minor > 0),
due AS (SELECT order_id::text AS order_id, sum(amount_minor) AS minor FROM payments_payment GROUP BY 1)
SELECT concat('Of order ', order_id, ' ', t.minor, ' was captured, and ', due.minor, ' was due.') AS message,
       ARRAY[concat('order ', order_id)] AS rows
FROM (SELECT order_id, sum(captured_minor) AS minor FROM taken GROUP BY 1) t JOIN due USING (order_id)
WHERE t.minor > due.minor
UNION ALL
SELECT concat('Payment ', p.id, ' of ', p.amount_minor, ' ', p.currency, ' was captured as ',
              t.captured_minor, ' ', t.currency, ' at ', t.account, '.'),
       ARRAY[concat('payment ', p.id), concat(t.account, ' ', t.reference)]
FROM taken t JOIN payments_payment p ON p.gateway = t.account AND p.reference = t.reference
WHERE t.currency <> p.currency OR t.captured_minor > p.amount_minor
"""  # noqa: S608

# Refunds made past us become rows of ours by a notice or a look; that they all do is L3.
_REFUNDED_WRONG = f"""
WITH {CHARGES}, {REFUNDS}
SELECT concat('Of ', c.captured_minor, ' captured on ', c.reference, ', ', r.minor, ' was refunded.')
         AS message,
       ARRAY[concat(c.account, ' ', c.reference)] AS rows
FROM (SELECT account, reference, sum(captured_minor) AS captured_minor, sum(refunded_minor) AS refunded_minor
      FROM charges GROUP BY 1, 2) c
LEFT JOIN (SELECT account, charge_reference AS reference, sum(amount_minor) AS minor
           FROM refunds GROUP BY 1, 2) r USING (account, reference)
WHERE greatest(r.minor, c.refunded_minor) > c.captured_minor
UNION ALL
SELECT concat('Refund ', o.refund_id, ' was made ', count(*), ' times.'),
       concat('refund ', o.refund_id) || array_agg(concat(r.account, ' ', r.reference) ORDER BY r.reference)
FROM refunds r JOIN payments_operation o ON o.key = r.key
GROUP BY o.refund_id HAVING count(*) > 1
UNION ALL
SELECT concat('Refund ', f.id, ' of ', f.amount_minor, ' ', p.currency, ' is ',
              coalesce(r.amount_minor || ' ' || r.currency, 'nothing'), ' at ', p.gateway, '.'),
       ARRAY[concat('refund ', f.id), concat('payment ', p.id)]
FROM payments_refund f JOIN payments_payment p ON p.id = f.payment_id
LEFT JOIN refunds r ON r.account = p.gateway AND r.reference = f.reference
WHERE f.status = 'succeeded' AND f.settled_at < %(read_at)s
  AND (r.reference IS NULL OR r.amount_minor <> f.amount_minor OR r.currency <> p.currency)
"""  # noqa: S608

# Both sides as (account, fact, the gateway's id, currency) -> what it did to what the gateway owes us.
_LEDGER_IS_BOOK = f"""
WITH {MOVEMENTS}, theirs AS (
  SELECT account, kind AS fact, CASE kind WHEN 'charge' THEN charge_reference ELSE source END AS name,
         currency, sum(amount_minor) AS minor
  FROM movements GROUP BY 1, 2, 3, 4
  UNION ALL
  SELECT account, 'fee', id, currency, -fee_minor FROM movements WHERE fee_minor <> 0
), booked AS (
  SELECT t.id, t.source, t.kind, t.gateway, t.payment_id, e.currency, sum(e.amount_minor) AS minor
  FROM payments_ledger_transaction t JOIN payments_ledger_entry e ON e.transaction_id = t.id
  WHERE e.account = 'clearing:' || t.gateway GROUP BY t.id, e.currency
), ours AS (
  SELECT b.gateway AS account,
         CASE b.kind WHEN 'captured' THEN 'charge' WHEN 'refunded' THEN 'refund'
                     WHEN 'dispute_opened' THEN 'dispute' ELSE b.kind END AS fact,
         coalesce(CASE b.kind WHEN 'captured' THEN p.reference
                              WHEN 'fee' THEN split_part(b.source, ':', 3)
                              ELSE coalesce(r.reference, d.reference) END, b.source) AS name,
         b.currency, sum(b.minor) AS minor
  FROM booked b
  LEFT JOIN payments_payment p ON b.kind = 'captured' AND p.id = b.payment_id
  LEFT JOIN payments_refund r ON b.kind IN ('refunded', 'refund_failed')
    AND r.id = split_part(b.source, ':', 2)::uuid
  LEFT JOIN payments_dispute d ON b.kind IN ('dispute_opened', 'dispute_won')
    AND d.id = split_part(b.source, ':', 2)::uuid
  GROUP BY 1, 2, 3, 4
)
SELECT concat('The ', fact, ' ', name, ' moved ', coalesce(theirs.minor, 0), ' ', currency, ' at ', account,
              ', and ', coalesce(ours.minor, 0), ' in the ledger.') AS message,
       ARRAY[concat(account, ' ', name)] AS rows
FROM theirs FULL JOIN ours USING (account, fact, name, currency)
WHERE coalesce(theirs.minor, 0) <> coalesce(ours.minor, 0)
"""  # noqa: S608

register(
    Check("C1", "Nobody is charged twice", Kind.SAFETY, _in_the_book(_CAPTURED_TWICE)),
    Check("C2", "No more is taken than is due", Kind.SAFETY, _in_the_book(_CAPTURED_TOO_MUCH)),
    Check(
        "C6", "Refunds are within their charge, each made once", Kind.SAFETY, _in_the_book(_REFUNDED_WRONG)
    ),
    Check(
        "L3", "The ledger is the gateway's book, line by line", Kind.QUIESCENCE, _in_the_book(_LEDGER_IS_BOOK)
    ),
)
