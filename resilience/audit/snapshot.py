"""One moment of the primary, held still: every check of an audit reads the same rows.

The danger: two statements of one check read at two moments, and what moved between them looks like a
violation. A read-only transaction has no transaction id, so it holds back no reader of the event log.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction

from resilience.audit.check import VIOLATIONS_SHOWN_MAX, Findings, Violation

# A check over 100,000 orders takes about a second; ten times the role's usual limit, so that a large
# database is audited slowly rather than not at all.
STATEMENT_TIMEOUT_S = 50
# Between two statements a check computes (the hash chain of the ledger, the text of a gateway's book).
IDLE_TIMEOUT_S = 60


@contextmanager
def snapshot() -> Iterator[None]:
    """Read one moment inside; writing is refused. Must not be nested in a transaction."""
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            cursor.execute(f"SET LOCAL idle_in_transaction_session_timeout = '{IDLE_TIMEOUT_S}s'")
            # The first query takes the snapshot.
            cursor.execute("SELECT pg_current_snapshot()")
        yield


@contextmanager
def bounded(*, statement_timeout_s: float = STATEMENT_TIMEOUT_S) -> Iterator[None]:
    """Let the statements of one check fail without the others: by a savepoint and a time limit."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {int(statement_timeout_s * 1000)}")
        yield


def found(query: str, parameters: Mapping[str, Any] | None = None) -> Findings:
    """Return what `query` finds: a row per violation, of a `message` (text) and `rows` (text[])."""
    # The query is a constant of a check's module.
    limited = f"SELECT message, rows, count(*) OVER () FROM ({query}) found LIMIT {VIOLATIONS_SHOWN_MAX}"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(limited, parameters or {})
        lines = cursor.fetchall()
    total = lines[0][2] if lines else 0
    return Findings(total, tuple(Violation(message, tuple(rows)) for message, rows, _ in lines))
