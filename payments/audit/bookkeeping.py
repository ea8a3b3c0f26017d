"""What must agree between payments, refunds, the ledger, the event log and the sagas (B1, B2, B4 to B6)."""

from resilience.audit import Check, Findings, Kind, Moment, found, register
from resilience.events import told_since

# A notice is handled within seconds, and swept every minute; below that the sweep has not come yet.
NOTICE_LASTS_MAX_S = 300


def captures_are_booked_and_told(_moment: Moment) -> Findings:
    """B1: a payment that took money has one booking and one event, and none is without such a payment."""
    return found(_CAPTURES, {"told_since": told_since()})


def refunds_are_booked_and_told(_moment: Moment) -> Findings:
    """B2: a refund that was made has one booking and one event; one that came back has its reversal too."""
    return found(_REFUNDS, {"told_since": told_since()})


def reserved_is_pending(_moment: Moment) -> Findings:
    """B4: what a payment keeps for refunds is the sum of those that are pending."""
    return found(_RESERVED)


def pending_refunds_have_a_saga(_moment: Moment) -> Findings:
    """B5: somebody works on every pending refund, or is waited for: an active or a parked saga."""
    return found(_ORPHANS)


def notices_are_handled(moment: Moment) -> Findings:
    """B6: no notice of a gateway lies unread."""
    return found(_NOTICES, {"now": moment.now, "lasts_s": NOTICE_LASTS_MAX_S})


_CAPTURES = """
WITH paid AS (SELECT id FROM payments_payment WHERE captured_minor > 0),
booked AS (SELECT payment_id AS id FROM payments_ledger_transaction WHERE kind = 'captured'),
told AS (SELECT aggregateid AS id, count(*) AS times FROM resilience_event
         WHERE type = 'payment.captured' GROUP BY 1)
SELECT concat('Payment ', id, ' is ', CASE WHEN paid.id IS NULL THEN 'not ' END, 'captured, ',
              CASE WHEN booked.id IS NULL THEN 'not ' END, 'booked, and told of ', coalesce(times, 0),
              ' times.') AS message,
       ARRAY[concat('payment ', id)] AS rows
FROM paid FULL JOIN booked USING (id) FULL JOIN told USING (id)
WHERE paid.id IS NULL OR booked.id IS NULL OR (times IS DISTINCT FROM 1 AND id >= %(told_since)s)
"""

_REFUNDS = """
WITH made AS (SELECT id, status FROM payments_refund WHERE status = 'succeeded'),
booked AS (SELECT split_part(source, ':', 2)::uuid AS id FROM payments_ledger_transaction
           WHERE kind = 'refunded'),
told AS (SELECT (payload->>'refund_id')::uuid AS id, count(*) AS times FROM resilience_event
         WHERE type = 'payment.refunded' GROUP BY 1),
reversed AS (SELECT split_part(source, ':', 2)::uuid AS id FROM payments_ledger_transaction
             WHERE kind = 'refund_failed')
SELECT concat('Refund ', id, ' is ', coalesce(f.status, 'not there'), ', ',
              CASE WHEN booked.id IS NULL THEN 'not ' END, 'booked, told of ', coalesce(times, 0), ' times, ',
              CASE WHEN reversed.id IS NULL THEN 'not ' END, 'reversed.') AS message,
       ARRAY[concat('refund ', id), concat('payment ', f.payment_id)] AS rows
FROM made FULL JOIN booked USING (id) FULL JOIN told USING (id) FULL JOIN reversed USING (id)
LEFT JOIN payments_refund f USING (id)
WHERE booked.id IS NULL OR (times IS DISTINCT FROM 1 AND id >= %(told_since)s)
   OR f.status IS DISTINCT FROM CASE WHEN reversed.id IS NULL THEN 'succeeded' ELSE 'failed' END
"""

_RESERVED = """
SELECT concat('Payment ', p.id, ' keeps ', p.refund_reserved_minor, ' for refunds, of which ',
              coalesce(r.minor, 0), ' is pending.') AS message,
       ARRAY[concat('payment ', p.id)] AS rows
FROM payments_payment p
LEFT JOIN (SELECT payment_id, sum(amount_minor) AS minor FROM payments_refund
           WHERE status = 'pending' GROUP BY 1) r ON r.payment_id = p.id
WHERE p.refund_reserved_minor <> coalesce(r.minor, 0)
"""

# The saga of a refund has its key; what an order's end returns is done by the order's saga.
_ORPHANS = """
SELECT concat('Refund ', r.id, ' of ', r.amount_minor, ' is pending, and nobody works on it.') AS message,
       ARRAY[concat('refund ', r.id), concat('payment ', p.id)] AS rows
FROM payments_refund r JOIN payments_payment p ON p.id = r.payment_id
WHERE r.status = 'pending' AND NOT EXISTS (
  SELECT 1 FROM resilience_saga s
  WHERE s.business_key IN (r.id, p.order_id) AND s.ended_at IS NULL
    AND (r.source = 'return' OR s.business_key = r.id))
"""

_NOTICES = """
SELECT concat('Notice ', event_id, ' (', type, ') of ', gateway, ' lies unread since ', received_at, '.')
         AS message,
       ARRAY[concat('notice ', id)] AS rows
FROM payments_gateway_notice
WHERE status = 'received' AND received_at < %(now)s - make_interval(secs => %(lasts_s)s)
"""

register(
    Check("B1", "A capture is booked and told", Kind.SAFETY, captures_are_booked_and_told),
    Check("B2", "A refund is booked and told", Kind.SAFETY, refunds_are_booked_and_told),
    Check("B4", "Reserved is what is pending", Kind.SAFETY, reserved_is_pending),
    Check("B5", "A pending refund has its saga", Kind.SAFETY, pending_refunds_have_a_saga),
    Check("B6", "Notices are handled", Kind.LIVENESS, notices_are_handled),
)
