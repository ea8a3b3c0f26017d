"""Charging, as our own rows tell it: keys, doubts, attempts (C8 to C11)."""

from payments.audit.book import REQUESTS, GatewayBook
from payments.audit.witness import whole_book
from resilience.audit import Check, Findings, Kind, Moment, found, register

# A lost request is not believed to be lost for 60 s (docs/runbooks/payment-in-doubt.md); one minute more
# to ask and to write. Half of it calls every lost request a violation.
DOUBT_LASTS_MAX_S = 120
# A burst of quick retries, then one in `SEND_EVERY_S`: full jitter with a cap of 30 s sends one in 15 s
# on average, so a key that is sent more often is in a loop.
SENDS_BURST_MAX = 30
SEND_EVERY_S = 2
# Of one kind per payment: each needs a definitive refusal before the next, and accounts are few.
OPERATIONS_MAX = 20
# Over this many operations of one day the average means something; a gateway that fails every second
# time makes it 1.3 by research, an outage of hours more, a storm of retries much more.
AVERAGE_OPERATIONS_MIN = 1_000
SENDS_AVERAGE_MAX = 3


def keys_name_one_request(moment: Moment) -> Findings:
    """C8: one key stands for one operation, and at a gateway that logs requests for one body.

    There every write carries a key, and the key is one that we wrote down before sending. Whether a
    key was looked up before it was sent again after the gateway's 24 h is not visible here.
    """
    book = whole_book(moment)
    return found(_KEYS, {"requests": book.requests_text})


def doubts_end(moment: Moment) -> Findings:
    """C9: while its gateway answers, no operation stays without an outcome for long.

    Nobody keeps when a gateway was well: just after an outage a doubt may be older than its limit
    until it is asked about (within 30 s, or 300 s where an operator was told).
    """
    answering = sorted(moment.witness(GatewayBook).accounts)
    return found(_DOUBTS, {"accounts": answering, "now": moment.now, "lasts_s": DOUBT_LASTS_MAX_S})


def one_gateway_at_a_time(_moment: Moment) -> Findings:
    """C10: nothing was asked of one account while another's answer to the same payment was out."""
    return found(_TWO_GATEWAYS)


def attempts_are_bounded(moment: Moment) -> Findings:
    """C11: no key is sent in a loop, no payment asked for without end, and few things are sent twice."""
    return found(
        _ATTEMPTS,
        {
            "now": moment.now,
            "burst": SENDS_BURST_MAX,
            "every_s": SEND_EVERY_S,
            "operations": OPERATIONS_MAX,
            "average_of": AVERAGE_OPERATIONS_MIN,
            "average": SENDS_AVERAGE_MAX,
        },
    )


_KEYS = f"""
WITH {REQUESTS}
SELECT concat('Key ', key, ' names ', count(*), ' operations.') AS message,
       array_agg(concat('operation ', id) ORDER BY id) AS rows
FROM payments_operation GROUP BY key HAVING count(*) > 1
UNION ALL
SELECT concat('Key ', key, ' came to ', account, ' with more than one path or body.'),
       ARRAY[concat('key ', key)]
FROM requests WHERE key <> '' GROUP BY account, key
HAVING min(path) <> max(path) OR min(body_hash) <> max(body_hash)
UNION ALL
SELECT concat('A ', operation, ' came to ', account, ' without a key.'), ARRAY[concat('path ', path)]
FROM requests WHERE key = ''
UNION ALL
SELECT DISTINCT concat('Key ', q.key, ' came to ', q.account, ' and is none of ours.'),
       ARRAY[concat('key ', q.key)]
FROM requests q
WHERE q.key <> ''
  AND NOT EXISTS (SELECT 1 FROM payments_operation o WHERE o.key = q.key AND o.gateway = q.account)
"""  # noqa: S608

_DOUBTS = """
SELECT concat('The ', o.kind, ' of payment ', o.payment_id, ' has no outcome since ',
              coalesce(o.in_doubt_since, o.sent_at), ', and ', o.gateway, ' answers.') AS message,
       ARRAY[concat('payment ', o.payment_id), concat('operation ', o.id)] AS rows
FROM payments_operation o JOIN payments_payment p ON p.id = o.payment_id
WHERE o.phase IN ('sent', 'in_doubt') AND o.gateway = ANY(%(accounts)s)
  AND p.status NOT IN ('requires_action', 'processing')
  AND coalesce(o.in_doubt_since, o.sent_at) < %(now)s - make_interval(secs => %(lasts_s)s)
"""

_TWO_GATEWAYS = """
SELECT concat('Payment ', a.payment_id, ' was asked for at ', b.gateway, ' before ', a.gateway,
              ' had told.') AS message,
       ARRAY[concat('payment ', a.payment_id), concat('operation ', a.id), concat('operation ', b.id)] AS rows
FROM payments_operation a
JOIN payments_operation b ON b.payment_id = a.payment_id AND b.kind = 'authorize' AND a.gateway <> b.gateway
WHERE a.kind = 'authorize' AND a.created_at <= b.created_at AND a.id <> b.id
  AND (a.settled_at IS NULL OR b.created_at < a.settled_at)
"""

_ATTEMPTS = """
SELECT concat('The ', kind, ' ', key, ' was sent ', sends, ' times.') AS message,
       ARRAY[concat('payment ', payment_id), concat('operation ', id)] AS rows
FROM payments_operation
WHERE sends > %(burst)s + extract(epoch FROM coalesce(settled_at, %(now)s) - created_at) / %(every_s)s
UNION ALL
SELECT concat('Payment ', payment_id, ' has ', count(*), ' operations to ', kind, '.'),
       ARRAY[concat('payment ', payment_id)]
FROM payments_operation WHERE kind <> 'refund'
GROUP BY payment_id, kind HAVING count(*) > %(operations)s
UNION ALL
SELECT concat('Of ', count(*), ' operations of the last day each was sent ', round(avg(sends), 2),
              ' times on average.'), ARRAY[]::text[]
FROM payments_operation WHERE created_at > %(now)s - interval '1 day'
HAVING count(*) >= %(average_of)s AND avg(sends) > %(average)s
"""

register(
    Check("C8", "One key, one operation, one body", Kind.SAFETY, keys_name_one_request),
    Check("C9", "What is in doubt is found out", Kind.LIVENESS, doubts_end),
    Check("C10", "One gateway at a time", Kind.SAFETY, one_gateway_at_a_time),
    Check("C11", "Attempts are bounded", Kind.SAFETY, attempts_are_bounded),
)
