"""After the load: wait for rest, ask every book, and complete what was seen."""

import contextlib
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any, LiteralString

import psycopg

from config.gameday.load import Load
from config.gameday.sampler import Sampler
from config.gameday.seen import Calls, Seen
from config.gameday.stage import Stage

OPEN_ORDERS = "SELECT count(*) FROM orders_order WHERE status NOT IN ('confirmed', 'cancelled')"
_STATUSES = "SELECT id::text, status FROM orders_order WHERE id = ANY(%s::uuid[])"
_ACTIVE_SAGAS = "SELECT count(*) FROM resilience_saga WHERE status IN ('running', 'compensating')"
_CALLS = """
    SELECT idempotency_key, received_at FROM requests
    WHERE received_at >= ? AND operation NOT IN ('authenticate', 'pay', 'expire', 'dispute', 'console')
"""
_POLL_S = 0.25
_AUDIT_PAUSE_S = 2.0


def wait_for_drain(seen: Seen, *, sampler: Sampler, limit_s: float) -> None:
    """Note the backlog at the end of the fault, and when no more was open than in the steady state."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        seen.samples = sorted(sampler.samples, key=lambda sample: sample.at_s)
        _note_drain(seen)
        if seen.drained_s is not None:
            return
        time.sleep(_POLL_S)


def count_calls(seen: Seen, *, stage: Stage, began_at: float) -> None:
    """Count the calls that arrived at the gateways, by their own books."""
    rows = [(key, at - began_at) for key, at in stage.gateway_book(_CALLS, (began_at,))]
    seen.calls_all = _calls(rows)
    seen.calls_steady = _calls([row for row in rows if seen.steady.holds(row[1])])
    seen.refused_connects = _refused(seen)


def complete(
    seen: Seen, *, stage: Stage, load: Load, resend_within_s: float, settle_s: float, resends: bool
) -> None:
    """Send again what was not answered, wait for rest, ask what became of each order, and audit."""
    open_keys = load.resend_unknown(within_s=resend_within_s) if resends else []
    seen.unanswered = len(open_keys)
    began = time.monotonic()
    while time.monotonic() - began < settle_s and count(stage, _ACTIVE_SAGAS) != 0:
        time.sleep(_POLL_S)
    seen.orders = _outcomes(stage, load)
    while (asked := stage.audit()) and _under_way(asked) and time.monotonic() - began < settle_s:
        time.sleep(_AUDIT_PAUSE_S)
    seen.facts = {**seen.facts, "at rest after": round(time.monotonic() - began, 1)}
    seen.audit = stage.audit("--quiescent")


def _note_drain(seen: Seen) -> None:
    open_orders = seen.series("open")
    at_heal = [value for at_s, value in open_orders if at_s < seen.fault.end_s]
    seen.backlog = at_heal[-1] if at_heal else None
    usual = max((value for at_s, value in open_orders if seen.steady.holds(at_s)), default=0.0)
    seen.drained_s = next(
        (
            at_s - seen.fault.end_s
            for at_s, value in open_orders
            if at_s >= seen.fault.end_s and value <= usual
        ),
        None,
    )


def _calls(rows: list[tuple[str | None, float]]) -> Calls:
    return Calls(all=len(rows), needed=len({key for key, _at_s in rows if key}))


def _refused(seen: Seen) -> float | None:
    """Return connects refused during the fault beyond the steady rate; those of other programs count too."""
    figures = seen.series("refused_connects")
    steady = [value for value in figures if seen.steady.holds(value[0])]
    fault = [value for value in figures if seen.fault.holds(value[0])]
    if len(steady) < 2 or len(fault) < 2:
        return None
    usual_per_s = (steady[-1][1] - steady[0][1]) / (steady[-1][0] - steady[0][0])
    refused = fault[-1][1] - steady[-1][1]
    return max(0.0, refused - usual_per_s * (fault[-1][0] - steady[-1][0]))


def _outcomes(stage: Stage, load: Load) -> Mapping[str, int]:
    ids = list(load.accepted.values())
    with stage.leader() as connection:
        found = dict(connection.execute(_STATUSES, [ids]).fetchall())
    return Counter(found.get(order_id, "missing") for order_id in ids)


def count(stage: Stage, question: LiteralString) -> int | None:
    """Ask whichever server leads for a number; None while none does."""
    with contextlib.suppress(psycopg.Error), stage.leader() as connection:
        row = connection.execute(question).fetchone()
        return int(row[0]) if row else None
    return None


def _under_way(audit: Mapping[str, Any]) -> int:
    under_way = audit.get("under_way", {})
    return sum(under_way.values()) if isinstance(under_way, dict) else 0
