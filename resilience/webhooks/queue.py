"""Due deliveries: claimed for a while by one sender, settled by whoever still holds the claim."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q

from resilience.events import Fact, append
from resilience.routing.databases import PRIMARY
from resilience.webhooks.events import WebhookEndpointDisabled
from resilience.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from resilience.webhooks.signing import still_valid
from resilience.webhooks.states import DeliveryState, DisabledReason
from resilience.webhooks.verdicts import FAILING_FOR, FAILURES_IN_ROW_MAX, Reply, Verdict, pause_s, verdict

# Far longer than an attempt may last (posting.TIMEOUT_S): what a killed sender had is sent again after this.
LEASE_S = 60
# Attempts at one endpoint at the same time, over all senders. One that hangs holds so many threads at most,
# and after a few failures one.
AT_ONCE_MAX = 4


@dataclass(frozen=True)
class Claim:
    """A delivery that one sender has for a while. `attempt` counts claims, and is the fence."""

    delivery_id: UUID
    endpoint_id: UUID
    event_id: UUID
    body: str
    attempt: int
    tried_since: datetime
    url: str
    secrets: tuple[str, ...]


def claim(*, limit: int, now: datetime) -> list[Claim]:
    """Take up to `limit` due deliveries, a few per endpoint, until the lease ends.

    Endpoints that are off, or paused by their breaker, give none; one that fails gives one at a time.
    An ordered endpoint gives an aggregate's next event only when the one before is settled.
    """
    parameters: dict[str, Any] = {
        "now": now,
        "limit": limit,
        "until": now + timedelta(seconds=LEASE_S),
        "at_once": AT_ONCE_MAX,
        "failures": FAILURES_IN_ROW_MAX,
    }
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, parameters)
        return [_claim(row, now=now) for row in cursor.fetchall()]


def settle(claimed: Claim, reply: Reply, *, now: datetime, random: Random) -> Verdict | None:
    """Write down how an attempt went, and what follows for the delivery and its endpoint's breaker.

    None when the claim is lost: another sender has the delivery, or it was asked for again.
    """
    follows = verdict(reply, attempt=claimed.attempt, tried_since=claimed.tried_since, now=now, random=random)
    with transaction.atomic(using=PRIMARY):
        # `tried_since` too: one that was asked for again meanwhile has three days anew.
        held = WebhookDelivery.objects.using(PRIMARY).filter(
            pk=claimed.delivery_id,
            attempts=claimed.attempt,
            tried_since=claimed.tried_since,
            state=DeliveryState.PENDING,
        )
        if not held.update(
            state=follows.state,
            due_at=follows.due_at,
            leased_until=None,
            settled_at=None if follows.due_at else now,
        ):
            return None
        WebhookAttempt.objects.using(PRIMARY).create(
            delivery_id=claimed.delivery_id,
            number=claimed.attempt,
            at=now,
            took_s=reply.took_s,
            http_status=reply.status,
            error=reply.error,
            reply=reply.body,
        )
        _note(claimed.endpoint_id, reply, follows, now=now, random=random)
    return follows


def _note(endpoint_id: UUID, reply: Reply, follows: Verdict, *, now: datetime, random: Random) -> None:
    """Let the endpoint's breaker know; turn the endpoint off when it is gone, or failed for days."""
    if reply.is_success:
        WebhookEndpoint.objects.using(PRIMARY).filter(~Q(failures_in_row=0), pk=endpoint_id).update(
            failures_in_row=0, failing_since=None, paused_until=None
        )
        return
    with _locked(endpoint_id) as endpoint:
        endpoint.failures_in_row += 1
        endpoint.failing_since = endpoint.failing_since or now
        if pause := pause_s(endpoint.failures_in_row, random=random):
            endpoint.paused_until = now + timedelta(seconds=pause)
        reason = follows.disables
        if reason is None and now - endpoint.failing_since > FAILING_FOR:
            reason = DisabledReason.FAILING
        if reason is not None and endpoint.disabled_at is None:
            _disable(endpoint, reason, now=now)


@contextmanager
def _locked(endpoint_id: UUID) -> Iterator[WebhookEndpoint]:
    endpoint = WebhookEndpoint.objects.using(PRIMARY).select_for_update(no_key=True).get(pk=endpoint_id)
    yield endpoint
    endpoint.save(
        using=PRIMARY,
        update_fields=["failures_in_row", "failing_since", "paused_until", "disabled_at", "disabled_reason"],
    )


def _disable(endpoint: WebhookEndpoint, reason: DisabledReason, *, now: datetime) -> None:
    endpoint.disabled_at, endpoint.disabled_reason = now, reason
    told = WebhookEndpointDisabled(endpoint_id=endpoint.pk, url=endpoint.url, reason=reason)
    append([Fact(endpoint.pk, told, endpoint.client)], occurred_at=now)


def _claim(row: tuple[Any, ...], *, now: datetime) -> Claim:
    id_, endpoint_id, event_id, body, attempt, tried_since, url, secret, before = row
    return Claim(
        delivery_id=id_,
        endpoint_id=endpoint_id,
        event_id=event_id,
        body=body,
        attempt=attempt,
        tried_since=tried_since,
        url=url,
        secrets=(secret, *(old["secret"] for old in still_valid(json.loads(before), now=now))),
    )


# The first due one is asked for in an order, so that no plan reads the whole backlog for it.
# Who has least under way comes first, by lot among equals: a receiver with a backlog takes no other's turn.
# The last conditions are asked again of the newest version of a row, so that two senders whose snapshots
# are as old as each other do not both take it.
_CLAIM = """
WITH ready AS MATERIALIZED (
    SELECT
        e.id, e.is_ordered,
        CASE WHEN e.failures_in_row >= %(failures)s THEN 1 ELSE %(at_once)s END - (
            SELECT count(*) FROM resilience_webhook_delivery AS held
            WHERE held.endpoint_id = e.id AND held.state = 'pending' AND held.leased_until > %(now)s
        ) AS room,
        random() AS lot
    FROM resilience_webhook_endpoint AS e
    WHERE e.disabled_at IS NULL
      AND (e.paused_until IS NULL OR e.paused_until <= %(now)s)
      AND (
          SELECT next.due_at FROM resilience_webhook_delivery AS next
          WHERE next.endpoint_id = e.id AND next.state = 'pending' ORDER BY next.due_at LIMIT 1
      ) <= %(now)s
    FOR NO KEY UPDATE OF e SKIP LOCKED
),
due AS MATERIALIZED (
    SELECT next.id
    FROM ready CROSS JOIN LATERAL (
        SELECT d.id, row_number() OVER (ORDER BY d.due_at, d.id) AS turn
        FROM resilience_webhook_delivery AS d
        WHERE d.endpoint_id = ready.id AND d.state = 'pending' AND d.due_at <= %(now)s
          AND (d.leased_until IS NULL OR d.leased_until <= %(now)s)
          AND NOT (
              ready.is_ordered AND EXISTS (
                  SELECT FROM resilience_webhook_delivery AS earlier
                  WHERE earlier.endpoint_id = d.endpoint_id AND earlier.aggregate_id = d.aggregate_id
                    AND earlier.state = 'pending' AND earlier.sequence < d.sequence
              )
          )
        ORDER BY d.due_at, d.id
        LIMIT greatest(ready.room, 0)
    ) AS next
    ORDER BY next.turn - ready.room, ready.lot
    LIMIT %(limit)s
)
UPDATE resilience_webhook_delivery AS d
SET leased_until = %(until)s, attempts = d.attempts + 1, tried_since = coalesce(d.tried_since, %(now)s)
FROM due, resilience_webhook_endpoint AS e
WHERE d.id = due.id AND e.id = d.endpoint_id
  AND d.state = 'pending' AND (d.leased_until IS NULL OR d.leased_until <= %(now)s)
RETURNING d.id, e.id, d.event_id, d.body, d.attempts, d.tried_since,
          e.url, e.secret, e.secrets_before
"""
