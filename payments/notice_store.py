"""Notices in SQL: the one writer of their status."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from payments.states import NOTICE_EDGES, NoticeStatus, PaymentStatus
from resilience.ids import new_id
from resilience.sql import recordset, uuid_array


@dataclass(frozen=True)
class OpenNotice:
    """A notice of which nothing final was made yet; its row is locked. `subject` is the event's object."""

    id: UUID
    gateway: str
    type: str
    reference: str
    subject: Mapping[str, Any]
    status: NoticeStatus
    received_at: datetime


@dataclass(frozen=True)
class KnownPayment:
    """The payment that a notice is about, as it stands."""

    id: UUID
    order_id: UUID
    status: PaymentStatus
    captured_minor: int
    refunded_minor: int
    reference: str


@dataclass(frozen=True)
class NoticeChange:
    """What was made of a notice; `expected` is the status it must still have."""

    id: UUID
    expected: NoticeStatus
    status: NoticeStatus
    detail: str
    payment_id: UUID | None = None


class IllegalNoticeMoveError(AssertionError):
    """A notice was to move along an edge that does not exist: a bug."""


class ConcurrentNoticeMoveError(Exception):
    """A notice changed under a transaction that had not locked it."""


_INSERT = """
INSERT INTO payments_gateway_notice (id, gateway, event_id, type, reference, body, status, detail,
                                     received_at)
VALUES (%s, %s, %s, %s, %s, %s, 'received', '', %s)
ON CONFLICT (gateway, event_id) DO NOTHING
"""

_LOCK_OPEN = """
SELECT id, gateway, type, reference, body #> '{data,object}', status, received_at
FROM payments_gateway_notice
WHERE id = ANY(%s::uuid[]) AND status IN ('received', 'waiting')
ORDER BY id FOR NO KEY UPDATE
"""

# By the reference first: metadata is what somebody wrote, and of a payment whose answer was lost all we have.
_PAYMENTS_OF = """
SELECT n.id, p.id, p.order_id, p.status, p.captured_minor, p.refunded_minor, p.reference
FROM json_to_recordset(%s) AS n (id uuid, gateway text, reference text, payment_id uuid)
CROSS JOIN LATERAL (
  SELECT p.*, 0 AS rank FROM payments_payment p
  WHERE p.gateway = n.gateway AND p.reference = n.reference AND p.reference <> ''
  UNION ALL
  SELECT p.*, 1 FROM payments_payment p
  WHERE p.id = n.payment_id
    AND (p.gateway = n.gateway
         OR EXISTS (SELECT FROM payments_operation o WHERE o.payment_id = p.id AND o.gateway = n.gateway))
  ORDER BY rank, id LIMIT 1
) p
"""

_WRITE = """
UPDATE payments_gateway_notice n
SET status = c.status, detail = c.detail, payment_id = c.payment_id, handled_at = %s
FROM json_to_recordset(%s) AS c (id uuid, expected text, status text, detail text, payment_id uuid)
WHERE n.id = c.id AND n.status = c.expected
"""

_WAITING_FOR = """
SELECT n.id
FROM payments_payment p
JOIN payments_gateway_notice n ON n.reference = p.reference AND n.gateway = p.gateway
WHERE p.id = ANY(%s::uuid[]) AND p.reference <> '' AND n.reference <> '' AND n.status = 'waiting'
"""

# A waiting one rests as long again as it has waited; `handled_at` is when it was tried last.
_CLAIM_OVERDUE = """
SELECT id FROM payments_gateway_notice
WHERE (status = 'received' AND received_at <= %(now)s - %(patience)s)
   OR (status = 'waiting'
       AND handled_at + LEAST(%(rest_max)s, GREATEST(%(rest_min)s, handled_at - received_at)) <= %(now)s)
ORDER BY received_at LIMIT %(limit)s
FOR NO KEY UPDATE SKIP LOCKED
"""


def insert(
    *,
    gateway: str,
    event_id: str,
    type: str,
    reference: str,
    body: Mapping[str, object],
    now: datetime,
) -> UUID | None:
    """Store a notice and return its id; None when it is known. Waits for one that is being stored."""
    notice_id = new_id()
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [notice_id, gateway, event_id, type, reference, json.dumps(body), now])
        return notice_id if cursor.rowcount == 1 else None


def lock_open(notice_ids: Sequence[UUID]) -> list[OpenNotice]:
    """Lock and return those of these notices of which nothing final was made, in one order for all."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_OPEN, [uuid_array(notice_ids)])
        return [_open_notice(row) for row in cursor.fetchall()]


def payments_of(notices: Sequence[OpenNotice]) -> dict[UUID, KnownPayment]:
    """Return the payment that each notice is about, by the notice's id; those without one are left out.

    It is found under the gateway's reference, or under our id in the metadata of the object, if that
    payment was ever asked of this gateway: one account says nothing of another's payments.
    """
    if not notices:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_PAYMENTS_OF, [recordset(_wanted(notice) for notice in notices)])
        return {
            notice_id: KnownPayment(payment_id, order_id, PaymentStatus(status), *amounts_and_reference)
            for notice_id, payment_id, order_id, status, *amounts_and_reference in cursor.fetchall()
        }


def write(changes: Sequence[NoticeChange], *, now: datetime) -> None:
    """Write what was made of notices.

    Raises IllegalNoticeMoveError for a move without an edge, ConcurrentNoticeMoveError when a row no
    longer has the status that the change was decided on.
    """
    if not changes:
        return
    for change in changes:
        if change.status is not change.expected and change.status not in NOTICE_EDGES[change.expected]:
            raise IllegalNoticeMoveError(f"notice {change.id}: {change.expected} -> {change.status}")
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, [now, recordset(map(vars, changes))])
        if cursor.rowcount != len(changes):
            raise ConcurrentNoticeMoveError(f"{cursor.rowcount} of {len(changes)} notices were written")


def waiting_for(payment_ids: Sequence[UUID]) -> list[UUID]:
    """Return the notices that wait for the references of these payments."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITING_FOR, [uuid_array(payment_ids)])
        return [row[0] for row in cursor.fetchall()]


def claim_overdue(
    *, now: datetime, patience: timedelta, rest_min: timedelta, rest_max: timedelta, limit: int
) -> list[UUID]:
    """Lock and return up to `limit` notices that nobody handled within `patience`, or that have rested.

    Those that somebody else holds are skipped.
    """
    parameters: dict[str, Any] = {
        "now": now,
        "patience": patience,
        "rest_min": rest_min,
        "rest_max": rest_max,
        "limit": limit,
    }
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM_OVERDUE, parameters)
        return [row[0] for row in cursor.fetchall()]


def _open_notice(row: Sequence[Any]) -> OpenNotice:
    notice_id, gateway, type_, reference, subject, status, received_at = row
    return OpenNotice(
        notice_id, gateway, type_, reference, json.loads(subject or "{}"), NoticeStatus(status), received_at
    )


def _wanted(notice: OpenNotice) -> dict[str, object]:
    return {
        "id": notice.id,
        "gateway": notice.gateway,
        "reference": notice.reference,
        "payment_id": _payment_id_in(notice.subject.get("metadata")),
    }


def _payment_id_in(metadata: object) -> UUID | None:
    text = metadata.get("payment_id") if isinstance(metadata, Mapping) else None
    try:
        return UUID(text) if isinstance(text, str) else None
    except ValueError:
        return None
