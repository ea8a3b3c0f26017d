"""What a client does with its endpoints and their deliveries."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet

from resilience.events import Event, event_types
from resilience.ids import new_id
from resilience.rest.errors import FieldError, InvalidRequest
from resilience.routing.databases import PRIMARY
from resilience.webhooks.errors import (
    WebhookDeliveryNotFoundError,
    WebhookEndpointDisabledError,
    WebhookEndpointExistsError,
    WebhookEndpointNotFoundError,
    WebhookEndpointsExhaustedError,
    WebhookSecretsExhaustedError,
)
from resilience.webhooks.fan_out import body_of
from resilience.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from resilience.webhooks.signing import new_secret, replaced
from resilience.webhooks.states import DeliveryState, DisabledReason
from resilience.webhooks.targets import TargetRefusedError, addresses_of, parse_target, system_resolver

# A client with more would make each of its events as many posts.
ENDPOINTS_MAX = 20
# Long enough to bring a new secret to every receiver.
ROTATION_OVERLAP = timedelta(hours=24)
# Each signs every delivery.
SECRETS_BEFORE_MAX = 4
TEST_TYPE = "webhook.test"
# What one call sends again at most; call again for the rest.
REDELIVERED_MAX = 1000
_LOCK_CLASS = 0x57484F4B


@dataclass(frozen=True)
class EndpointDraft:
    """What a client says of an endpoint; None: as it is, or by default."""

    url: str | None = None
    description: str | None = None
    types: Sequence[str] | None = None
    is_ordered: bool | None = None
    is_enabled: bool | None = None


def endpoints_of(client: str) -> QuerySet[WebhookEndpoint]:
    """Return a client's endpoints."""
    rows = WebhookEndpoint.objects.using(PRIMARY).filter(client=client)
    return rows.exclude(disabled_reason=DisabledReason.DELETED)


def endpoint_of(client: str, endpoint_id: UUID) -> WebhookEndpoint:
    """Return one of them; raises WebhookEndpointNotFoundError."""
    found = endpoints_of(client).filter(pk=endpoint_id).first()
    if found is None:
        raise _not_found(endpoint_id)
    return found


def deliveries_of(endpoint: WebhookEndpoint) -> QuerySet[WebhookDelivery]:
    """Return an endpoint's deliveries."""
    return WebhookDelivery.objects.using(PRIMARY).filter(endpoint=endpoint)


def delivery_of(client: str, delivery_id: UUID) -> WebhookDelivery:
    """Return a client's delivery; raises WebhookDeliveryNotFoundError."""
    rows = WebhookDelivery.objects.using(PRIMARY).filter(endpoint__in=endpoints_of(client))
    found = rows.filter(pk=delivery_id).select_related("endpoint").first()
    if found is None:
        raise WebhookDeliveryNotFoundError(f"There is no webhook delivery {delivery_id}.")
    return found


def attempts_of(delivery: WebhookDelivery) -> QuerySet[WebhookAttempt]:
    """Return how each attempt at a delivery went, the first one first."""
    return WebhookAttempt.objects.using(PRIMARY).filter(delivery=delivery).order_by("pk")


def create_endpoint(client: str, draft: EndpointDraft, *, now: datetime) -> WebhookEndpoint:
    """Create an endpoint with a fresh secret.

    Raises InvalidRequest (an unknown type), TargetRefusedError, WebhookEndpointExistsError and
    WebhookEndpointsExhaustedError.
    """
    endpoint = WebhookEndpoint(client=client, secret=new_secret(), created_at=now)
    _refuse(draft)
    _change(endpoint, draft, now=now)
    with transaction.atomic(using=PRIMARY):
        with connection.cursor() as cursor:
            # Two at once would both find room for the last one.
            cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_LOCK_CLASS, client])
        if endpoints_of(client).count() >= ENDPOINTS_MAX:
            raise WebhookEndpointsExhaustedError(
                f"You have {ENDPOINTS_MAX} endpoints, which is all. Delete one."
            )
        _save(endpoint)
    return endpoint


def update_endpoint(
    client: str, endpoint_id: UUID, draft: EndpointDraft, *, now: datetime
) -> WebhookEndpoint:
    """Change what `draft` says; raises what `create_endpoint` does, and WebhookEndpointNotFoundError."""
    endpoint_of(client, endpoint_id)
    # Before the row is locked: a name server may take its time, and the senders wait for the row.
    _refuse(draft)
    with _locked(client, endpoint_id) as endpoint:
        _change(endpoint, draft, now=now)
        _save(endpoint)
    return endpoint


def delete_endpoint(client: str, endpoint_id: UUID, *, now: datetime) -> None:
    """Delete an endpoint with its deliveries; raises WebhookEndpointNotFoundError.

    Its rows may be a million: nobody sees them any more, nothing is sent, and they go piece by piece.
    """
    with _locked(client, endpoint_id) as endpoint:
        endpoint.disabled_at, endpoint.disabled_reason = now, DisabledReason.DELETED
        endpoint.save(using=PRIMARY)


def rotate_secret(client: str, endpoint_id: UUID, *, now: datetime) -> WebhookEndpoint:
    """Give an endpoint a new secret; each one before signs too until its day is over.

    Raises WebhookEndpointNotFoundError and WebhookSecretsExhaustedError.
    """
    with _locked(client, endpoint_id) as endpoint:
        before = replaced(endpoint.secret, endpoint.secrets_before, until=now + ROTATION_OVERLAP, now=now)
        if len(before) > SECRETS_BEFORE_MAX:
            raise WebhookSecretsExhaustedError(
                f"{SECRETS_BEFORE_MAX} earlier secrets still sign; the oldest until {before[-1]['until']}. "
                "Rotate after that, or make a new endpoint."
            )
        endpoint.secret, endpoint.secrets_before = new_secret(), before
        _save(endpoint)
    return endpoint


def send_test(client: str, endpoint_id: UUID, *, now: datetime) -> WebhookDelivery:
    """Let a `webhook.test` event go to this endpoint alone; raises WebhookEndpointDisabledError."""
    endpoint = endpoint_of(client, endpoint_id)
    _refuse_disabled(endpoint)
    event = Event(
        id=new_id(),
        type=TEST_TYPE,
        version=1,
        aggregate_type="webhook_endpoint",
        aggregate_id=endpoint.pk,
        sequence=0,
        data={"endpoint_id": str(endpoint.pk)},
        occurred_at=now,
        recorded_at=now,
        client=client,
    )
    return WebhookDelivery.objects.using(PRIMARY).create(
        endpoint=endpoint,
        event_id=event.id,
        type=event.type,
        # Of its own, so that it waits for nothing.
        aggregate_id=event.id,
        sequence=0,
        body=body_of(event),
        due_at=now,
        created_at=now,
    )


def redeliver(client: str, delivery_id: UUID, *, now: datetime) -> WebhookDelivery:
    """Send a delivery again, whatever became of it; one that is still tried is due at once."""
    delivery = delivery_of(client, delivery_id)
    _refuse_disabled(delivery.endpoint)
    _send_again(WebhookDelivery.objects.using(PRIMARY).filter(pk=delivery_id), now=now)
    return delivery_of(client, delivery_id)


@dataclass(frozen=True)
class Selection:
    """Settled deliveries made in [since, until), failed ones only or all, behind the delivery `after`."""

    since: datetime
    until: datetime
    only_failed: bool = True
    after: UUID | None = None


def redeliver_many(
    client: str, endpoint_id: UUID, selection: Selection, *, now: datetime
) -> tuple[int, UUID | None]:
    """Send an endpoint's selected deliveries again, the oldest first, a thousand at most.

    Returns how many, and the last one looked at: go on `after` it. None: there are no more.
    """
    endpoint = endpoint_of(client, endpoint_id)
    _refuse_disabled(endpoint)
    states = [DeliveryState.FAILED]
    if not selection.only_failed:
        states.append(DeliveryState.DELIVERED)
    wanted = deliveries_of(endpoint).filter(
        created_at__gte=selection.since, created_at__lt=selection.until, state__in=states
    )
    if selection.after is not None:
        wanted = wanted.filter(pk__gt=selection.after)
    ids = list(wanted.order_by("pk").values_list("pk", flat=True)[:REDELIVERED_MAX])
    chosen = WebhookDelivery.objects.using(PRIMARY).filter(pk__in=ids, state__in=states)
    return _send_again(chosen, now=now), ids[-1] if len(ids) == REDELIVERED_MAX else None


def _send_again(rows: QuerySet[WebhookDelivery], *, now: datetime) -> int:
    again: Mapping[str, Any] = {
        "state": DeliveryState.PENDING,
        "due_at": now,
        "tried_since": None,
        "settled_at": None,
    }
    return rows.update(**again)


def _refuse_disabled(endpoint: WebhookEndpoint) -> None:
    if endpoint.disabled_at is not None:
        raise WebhookEndpointDisabledError("This endpoint is disabled. Enable it first.")


@contextmanager
def _locked(client: str, endpoint_id: UUID) -> Iterator[WebhookEndpoint]:
    """Lend a client's endpoint, its row locked, in a transaction; raises WebhookEndpointNotFoundError."""
    with transaction.atomic(using=PRIMARY):
        found = endpoints_of(client).select_for_update(no_key=True).filter(pk=endpoint_id).first()
        if found is None:
            raise _not_found(endpoint_id)
        yield found


def _not_found(endpoint_id: UUID) -> WebhookEndpointNotFoundError:
    return WebhookEndpointNotFoundError(f"There is no webhook endpoint {endpoint_id}.")


def _refuse(draft: EndpointDraft) -> None:
    if draft.url is not None:
        _refuse_target(draft.url)
    if draft.types is not None:
        _refuse_unknown(draft.types)


def _change(endpoint: WebhookEndpoint, draft: EndpointDraft, *, now: datetime) -> None:
    if draft.url is not None:
        endpoint.url = draft.url
    if draft.description is not None:
        endpoint.description = draft.description
    if draft.types is not None:
        endpoint.types = list(dict.fromkeys(draft.types))
    if draft.is_ordered is not None:
        endpoint.is_ordered = draft.is_ordered
    if draft.is_enabled is True:
        endpoint.disabled_at, endpoint.disabled_reason = None, ""
        endpoint.failures_in_row, endpoint.failing_since, endpoint.paused_until = 0, None, None
    if draft.is_enabled is False and endpoint.disabled_at is None:
        endpoint.disabled_at, endpoint.disabled_reason = now, DisabledReason.OWNER


def _refuse_target(url: str) -> None:
    target = parse_target(url, trusted=settings.WEBHOOKS_TRUSTED_HOSTS, own=settings.ALLOWED_HOSTS)
    try:
        addresses_of(target, resolve=system_resolver)
    except OSError as error:
        raise TargetRefusedError(f"The name {target.host} has no address now. Set it up first.") from error


def _refuse_unknown(types: Sequence[str]) -> None:
    known = {declared.name for declared in event_types()}
    errors = [
        FieldError(f"/types/{place}", "unknown_type", "No event type has this name; see /api/v1/asyncapi.")
        for place, name in enumerate(types)
        if name not in known
    ]
    if errors:
        raise InvalidRequest("Some event types are not known; `errors` names each.", errors=errors)


def _save(endpoint: WebhookEndpoint) -> None:
    try:
        with transaction.atomic(using=PRIMARY):
            endpoint.save(using=PRIMARY)
    except IntegrityError as error:
        raise WebhookEndpointExistsError("You have an endpoint with this URL already.") from error
