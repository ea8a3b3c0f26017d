"""The deadline in PostgreSQL: a statement ends when the time of whoever waits for it is over.

`SET LOCAL`, and only inside a transaction: it ends with it, so that a pooler in transaction mode
(PgBouncer) hands no later client a connection with somebody else's limit. Outside of a transaction the
role's own limits hold. Without a deadline nothing is sent.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from psycopg import errors
from psycopg.pq import TransactionStatus

from resilience.deadlines.deadline import Deadline, current, exceeded

# The smaller of ours and what holds already, for a workload may have a tighter limit of its own. Settings
# are texts like "5s" that an interval understands; 0 is no limit.
_SET = """
SELECT set_config('statement_timeout', coalesce(least(%s, nullif(
  extract(epoch FROM current_setting('statement_timeout')::interval) * 1000, 0)), %s)::int::text, true)
"""
# A limit that was set is used until a quarter of it is gone, so that a transaction of many statements pays
# for a few more round trips, and none runs over by more than a third of what was left.
_STALE_SHARE = 0.75
# Refused, these would leave Django's own bookkeeping of savepoints behind.
_SAVEPOINTS = ("SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT")
# What keeps nothing when it is a transaction of its own; anything else is taken for a write.
_READS = ("SELECT", "SHOW", "SET")

Execute = Callable[[Any, Any, bool, Any], Any]


class _Limit:
    """What one connection's transaction has been told."""

    def __init__(self) -> None:
        self._deadline: Deadline | None = None
        self._set_s: float | None = None

    def __call__(self, execute: Execute, sql: Any, params: Any, many: Any, context: Any) -> Any:
        deadline = current()
        if deadline is None or deadline.is_lifted:
            return execute(sql, params, many, context)
        connection: BaseDatabaseWrapper = context["connection"]
        if connection.in_atomic_block and _begins(connection):
            self._set_s = None
            connection.on_commit(partial(_lift, deadline), robust=True)
        if str(sql).startswith(_SAVEPOINTS):
            # Rolling back takes back what was set behind the savepoint.
            self._set_s = None
            return execute(sql, params, many, context)
        deadline.refuse_if_over()
        if connection.in_atomic_block:
            self._set(deadline, execute, context)
        try:
            found = execute(sql, params, many, context)
        except OperationalError as error:
            if isinstance(error.__cause__, errors.QueryCanceled) and deadline.expires_at <= time.monotonic():
                raise exceeded() from error
            raise
        if not connection.in_atomic_block and not str(sql).lstrip().upper().startswith(_READS):
            _lift(deadline)  # committed by itself
        return found

    def _set(self, deadline: Deadline, execute: Execute, context: Any) -> None:
        left_s = deadline.expires_at - time.monotonic()
        if self._set_s is None or self._deadline is not deadline or left_s < self._set_s * _STALE_SHARE:
            limit_ms = max(1, int(left_s * 1000))
            execute(_SET, [limit_ms, limit_ms], False, context)  # noqa: FBT003 - Django's signature
            self._deadline, self._set_s = deadline, left_s


def _begins(connection: BaseDatabaseWrapper) -> bool:
    """Tell whether this is the first statement of a transaction: psycopg sends BEGIN with it."""
    return bool(connection.connection.info.transaction_status == TransactionStatus.IDLE)


def _lift(deadline: Deadline) -> None:
    """From here on the caller is answered, however late: something was committed for them."""
    deadline.is_lifted = True


def bound_statements(connection: BaseDatabaseWrapper, **_signal: object) -> None:
    """Let the deadline hold on a connection; Django's signal when one was opened."""
    if not any(isinstance(wrapper, _Limit) for wrapper in connection.execute_wrappers):
        # First, for `connection.execute_wrapper` takes away the last.
        connection.execute_wrappers.insert(0, _Limit())


def install() -> None:
    """Bound the statements of every connection that is opened from now on."""
    connection_created.connect(bound_statements, dispatch_uid="deadlines")
