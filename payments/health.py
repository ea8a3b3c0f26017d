"""What of payments may wait, and how long before somebody should know."""

from payments.states import NoticeStatus
from resilience.health.backlogs import Backlog, register_backlog
from resilience.pulse import Query

_IN_DOUBT = """
    SELECT extract(epoch FROM clock_timestamp() - min(in_doubt_since))
    FROM payments_payment WHERE in_doubt_since IS NOT NULL
"""
_NOTICES = f"""
    SELECT extract(epoch FROM clock_timestamp() - min(received_at))
    FROM payments_gateway_notice WHERE status = '{NoticeStatus.RECEIVED}'
"""  # noqa: S608 - a word of an enum

register_backlog(
    Backlog(
        name="payments:oldest_in_doubt_s",
        unit="s",
        question=lambda: Query(_IN_DOUBT),
        # A lost answer is settled by the first question that a gateway answers, seconds later; its reads
        # may lag by a minute (payments/steps/exchange.py).
        warn=120.0,
        fail=900.0,
        meaning="Some orders wait until their gateway says what became of a call. Nobody is charged twice.",
        output="A payment is in doubt for too long: see docs/runbooks/payment-in-doubt.md.",
    )
)
register_backlog(
    Backlog(
        name="webhooks:oldest_unhandled_s",
        unit="s",
        question=lambda: Query(_NOTICES),
        warn=30.0,
        fail=300.0,
        meaning="What gateways told us is applied late; payments are asked about all the same.",
        output="A gateway's notice was stored and not handled yet.",
    )
)
