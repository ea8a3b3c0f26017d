"""The SQL of stored answers: one statement to lock and look, one to store, one to prune."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from resilience.idempotency.answer import Answer
from resilience.idempotency.scope import Scope

# Clients may send a request again for this long (DESIGN.md, section 4).
KEPT = timedelta(hours=24)

# The lock ends with the transaction, however that ends. A snapshot is older than the lock taken in
# the same statement, so an answer stored in between stays unseen here; `insert` sees it.
_LOCK_AND_FIND = """
with lock as materialized (select pg_try_advisory_xact_lock(%s) as held)
select lock.held, record.fingerprint, record.status, record.headers, record.body
from lock left join resilience_idempotencyrecord record
  on record.client = %s and record.endpoint = %s and record.key = %s
"""
_INSERT = """
insert into resilience_idempotencyrecord
  (client, endpoint, key, fingerprint, status, headers, body, created_at, expires_at)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s)
on conflict do nothing
"""
_PRUNE = """
delete from resilience_idempotencyrecord where (client, endpoint, key) in (
  select client, endpoint, key from resilience_idempotencyrecord
  where expires_at <= %s order by expires_at limit %s for update skip locked)
"""


@dataclass(frozen=True)
class Found:
    """What is known of a scope: whether this transaction holds its lock, and the stored answer."""

    lock_held: bool
    fingerprint: bytes | None
    answer: Answer | None


def lock_and_find(scope: Scope) -> Found:
    """Try to take the scope's lock until the transaction ends, and find its answer; never waits."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_AND_FIND, [scope.lock_id, scope.client, scope.endpoint, scope.key])
        held, digest, status, headers, body = cursor.fetchone()
    if status is None:
        return Found(held, None, None)
    return Found(held, bytes(digest), Answer(status, body, json.loads(headers)))


def insert(scope: Scope, *, digest: bytes, answer: Answer, now: datetime) -> bool:
    """Store the answer; False when the scope has one already."""
    headers = json.dumps(dict(answer.headers))
    name = (scope.client, scope.endpoint, scope.key)
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, (*name, digest, answer.status, headers, answer.body, now, now + KEPT))
        return bool(cursor.rowcount == 1)


def delete_expired(*, now: datetime, limit: int) -> int:
    """Delete up to `limit` answers whose time is over; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(_PRUNE, [now, limit])
        return int(cursor.rowcount)
