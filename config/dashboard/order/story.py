"""What happened to an order, for operators: the client's timeline, who did what, and how breakers stood."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder

from orders.timeline import timeline
from payments.money import Money
from resilience.audit_trail.models import AuditTrail
from resilience.breaker.models import BreakerTransition
from resilience.timeline import ROWS_MAX, Entry, Window

# More is no page that anybody reads; the feed and the lists have the rest.
ENTRIES_MAX = 1500
# Of so many rows each: what an order that was asked about for weeks may have.
_WINDOWS_MAX = 40
# With who and why, an operator's act is told by the audit trail.
_TOLD_ELSEWHERE = frozenset({"operator_action"})
# What of an entry is said at once; all of it is behind "details".
_SAID = (
    "saga",
    "attempt",
    "error",
    "delay_s",
    "gateway",
    "amount",
    "phase",
    "outcome",
    "sends",
    "reason",
    "status",
    "failure_code",
    "url",
    "attempts",
    "by",
)
KINDS = {
    "": "all",
    "saga": "saga",
    "step": "steps",
    "operation": "gateway",
    "ledger": "ledger",
    "event": "events",
    "webhook": "webhooks in",
    "webhook_out": "webhooks out",
    "refund": "refunds",
    "dispute": "disputes",
    "staff": "operators",
    "breaker": "breakers",
}


@dataclass(frozen=True)
class Line:
    """One entry as it is shown: `said` as (name, value) in words, `raw` as JSON to read."""

    at: datetime
    kind: str
    title: str
    said: tuple[tuple[str, str], ...]
    raw: str


def lines_of(order_id: UUID, *, subjects: Sequence[UUID], breakers: Sequence[str], kind: str) -> list[Line]:
    """Return an order's story, all kinds for "": at most its last ENTRIES_MAX entries.

    `subjects`: the ids of what belongs to it, to which operators may have done something.
    """
    entries = [entry for entry in _timeline(order_id) if entry.kind not in _TOLD_ELSEWHERE]
    entries += _deeds([order_id, *subjects])
    if entries and breakers:
        entries += _moves(breakers, entries[0].at, max(entry.at for entry in entries))
    return [
        _line(entry)
        for entry in sorted(entries, key=lambda entry: (entry.at, entry.place))
        if kind in ("", entry.kind)
    ]


def _timeline(order_id: UUID) -> list[Entry]:
    """Return the last entries: read window by window, for each reads the first of what is left."""
    found: list[Entry] = []
    window = Window()
    for _window in range(_WINDOWS_MAX):
        page = timeline(order_id, window=window)[:ROWS_MAX]
        found = [*found, *page][-ENTRIES_MAX:]
        if len(page) < ROWS_MAX:
            break
        window = Window.behind(page[-1].key)
    return found


def _deeds(subjects: Sequence[UUID]) -> list[Entry]:
    rows = AuditTrail.objects.using("default").filter(subject__in=[str(one) for one in subjects])
    return [
        Entry(
            row.at,
            "staff",
            f"{row.by}: {row.action} {row.outcome}",
            {"by": row.by, "reason": row.reason, "subject": row.subject},
            f"7:{row.pk}",
        )
        for row in rows
    ]


def _moves(breakers: Sequence[str], since: datetime, until: datetime) -> list[Entry]:
    rows = BreakerTransition.objects.using("default").filter(
        breaker__in=list(breakers), scope="fleet", at__gte=since, at__lte=until
    )
    return [
        Entry(
            row.at,
            "breaker",
            f"{row.breaker}: {row.before} to {row.after}",
            {"reason": row.reason.replace("_", " "), "failed": row.failed, "total": row.total},
            f"7:{row.pk}",
        )
        for row in rows.order_by("at")[:200]
    ]


def _line(entry: Entry) -> Line:
    said = [
        (name.replace("_", " "), _words(entry.details[name])) for name in _SAID if entry.details.get(name)
    ]
    if entry.kind == "ledger":
        said += [(str(one["account"]), _words(one["amount"])) for one in _entries(entry.details)]
    raw = json.dumps(entry.details, cls=DjangoJSONEncoder, indent=2, ensure_ascii=False)
    return Line(entry.at, entry.kind, entry.title, tuple(said), raw)


def _entries(details: Mapping[str, object]) -> list[Any]:
    found = details.get("entries")
    return found if isinstance(found, list) else []


def _words(value: object) -> str:
    match value:
        case {"amount": int(minor), "currency": str(currency)}:
            sign = "-" if minor < 0 else ""
            return f"{sign}{Money(abs(minor), currency)}"
        case float():
            return f"{value:.3g}"
        case _:
            return str(value)
