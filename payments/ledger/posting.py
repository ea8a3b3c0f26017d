"""Posting: bookings become rows in the transaction of the change that they tell of (the hot path).

The danger: two workers learn of one fact, and it counts twice. So the fact's name is unique, and who comes
second writes nothing. That the second said the same as the first is for `verify` to check.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import connection
from django.db.transaction import TransactionManagementError

from payments.ledger.booking import Booking, InvalidBookingError
from resilience.sql import recordset


class OriginalNotBookedError(AssertionError):
    """A booking was to be reversed that is not there: a bug."""


def post(bookings: Sequence[Booking], *, now: datetime) -> None:
    """Book these facts if and only if the surrounding transaction commits; one booked already is left.

    One statement, however many bookings; reversals, which are rare, are a second one.
    Waits for a transaction that is posting one of the same facts. Raises TransactionManagementError
    outside a transaction, InvalidBookingError if two of `bookings` contradict each other, and
    OriginalNotBookedError for the reversal of nothing.
    """
    if not connection.in_atomic_block:
        raise TransactionManagementError("post() outside a transaction could book what never happens")
    wanted = _each_once(bookings)
    facts = [booking for booking in wanted if booking.reverses_source is None]
    reversals = [booking for booking in wanted if booking.reverses_source is not None]
    if facts:
        _write(facts, now=now)
    # Behind the facts, among which the original may be.
    if reversals:
        orphans = _write(reversals, now=now)
        if orphans:
            raise OriginalNotBookedError(f"not booked, so not to be reversed: {', '.join(orphans)}")


def _each_once(bookings: Iterable[Booking]) -> list[Booking]:
    """Return the bookings in the order of their sources, in which everybody takes them: no deadlock."""
    by_source: dict[str, Booking] = {}
    for booking in bookings:
        if by_source.setdefault(booking.source, booking) != booking:
            raise InvalidBookingError(f"{booking.source} is booked in two ways at once")
    return [by_source[source] for source in sorted(by_source)]


def _write(bookings: Sequence[Booking], *, now: datetime) -> list[str]:
    """Write those that are new; return the originals that are missing."""
    with connection.cursor() as cursor:
        cursor.execute(_POST, [recordset(_row(booking) for booking in bookings), now])
        return [source for (source,) in cursor.fetchall()]


# `reverses_id` by a subquery and not a join, so that captures, which reverse nothing, never look for it.
_POST = """
WITH booking AS MATERIALIZED (
    SELECT b.*, CASE WHEN b.reverses IS NOT NULL THEN (
        SELECT id FROM payments_ledger_transaction original WHERE original.source = b.reverses
    ) END AS reverses_id
    FROM ROWS FROM (
        json_to_recordset(%s)
        AS (source text, kind text, gateway text, order_id uuid, payment_id uuid, occurred_at timestamptz,
            reverses text, entries json)
    ) WITH ORDINALITY
      AS b (source, kind, gateway, order_id, payment_id, occurred_at, reverses, entries, place)
),
posted AS (
    INSERT INTO payments_ledger_transaction
        (source, kind, gateway, order_id, payment_id, reverses_id, occurred_at, recorded_at)
    SELECT source, kind, gateway, order_id, payment_id, reverses_id, occurred_at, %s
    FROM booking
    ORDER BY place
    ON CONFLICT (source) DO NOTHING
    RETURNING id, source
),
entries AS (
    INSERT INTO payments_ledger_entry (transaction_id, account, currency, amount_minor)
    SELECT posted.id, side.account, side.currency, side.amount_minor
    FROM posted
    JOIN booking USING (source)
    CROSS JOIN LATERAL ROWS FROM (
        json_to_recordset(booking.entries) AS (account text, currency text, amount_minor bigint)
    ) WITH ORDINALITY AS side (account, currency, amount_minor, place)
    ORDER BY posted.id, side.place
)
SELECT reverses FROM booking WHERE reverses IS NOT NULL AND reverses_id IS NULL
"""


def _row(booking: Booking) -> dict[str, object]:
    return {
        "source": booking.source,
        "kind": booking.kind,
        "gateway": booking.gateway,
        "order_id": booking.order_id,
        "payment_id": booking.payment_id,
        "occurred_at": booking.occurred_at,
        "reverses": booking.reverses_source,
        "entries": [
            {"account": entry.account, "currency": entry.currency, "amount_minor": entry.amount_minor}
            for entry in booking.entries
        ],
    }
