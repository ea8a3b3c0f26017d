"""Reconciliation over HTTP: what differs, and a person's word about it."""

from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from payments.models import ReconciliationException, ReconciliationRun
from payments.reconciliation.tally import percent, shares_of
from payments.selectors import reconciliation_exceptions
from payments.services.resolve_exception import resolve_exception
from payments.states import ExceptionKind, RunStatus
from resilience import clock
from resilience.apikeys.authentication import principal_of
from resilience.rest.errors import invalid_field
from resilience.rest.fields import StrictString
from resilience.rest.openapi import CONSISTENCY_TOKEN
from resilience.rest.pagination import PARAMETERS, page_of_queryset, read_page
from resilience.rest.query import query_parameters
from resilience.rest.serializers import StrictSerializer
from resilience.rest.timestamps import timestamp

NOTE_LENGTH_MAX = 2_000
STATUSES = ("open", "resolved")
_PAGE = [OpenApiParameter("cursor", str), OpenApiParameter("limit", int)]


class ExceptionShape(serializers.Serializer[Any]):
    """A difference between a gateway's list and our books. `ours`, `theirs`: what each says, in words."""

    id = serializers.UUIDField()
    gateway = serializers.CharField()
    kind = serializers.ChoiceField(choices=[kind.value for kind in ExceptionKind])
    reference = serializers.CharField()
    payment_id = serializers.UUIDField(allow_null=True)
    order_id = serializers.UUIDField(allow_null=True)
    ours = serializers.CharField()
    theirs = serializers.CharField()
    status = serializers.ChoiceField(choices=STATUSES)
    occurred_at = serializers.DateTimeField(allow_null=True)
    first_seen_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField()
    resolved_at = serializers.DateTimeField(allow_null=True)
    resolved_by = serializers.CharField(allow_null=True)
    resolution = serializers.CharField(allow_null=True)


class ExceptionPage(serializers.Serializer[Any]):
    """Exceptions, the newest first."""

    data = ExceptionShape(many=True)  # type: ignore[assignment] # the name is the API's
    next_cursor = serializers.CharField(allow_null=True)


class ResolveRequest(StrictSerializer):
    """Why the difference is none, or what was done about it."""

    note = StrictString(max_length=NOTE_LENGTH_MAX)


class ExplainedShape(serializers.Serializer[Any]):
    """How much of a currency is explained, by count and by amount; percentages are rounded down."""

    currency = serializers.CharField()
    items = serializers.IntegerField()
    explained = serializers.IntegerField()
    percent = serializers.CharField()
    amount = serializers.IntegerField()
    explained_amount = serializers.IntegerField()
    amount_percent = serializers.CharField()


class RunShape(serializers.Serializer[Any]):
    """One pass over an account's list, the whole of it or from `since` on."""

    id = serializers.UUIDField()
    gateway = serializers.CharField()
    status = serializers.ChoiceField(choices=[status.value for status in RunStatus])
    since = serializers.DateTimeField(allow_null=True)
    lines = serializers.IntegerField()
    matched = serializers.IntegerField()
    booked = serializers.IntegerField()
    under_way = serializers.IntegerField()
    accepted = serializers.IntegerField()
    exceptions = serializers.IntegerField()
    explained = ExplainedShape(many=True)
    error = serializers.CharField(allow_null=True)
    started_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class RunPage(serializers.Serializer[Any]):
    """Runs, the newest first."""

    data = RunShape(many=True)  # type: ignore[assignment] # the name is the API's
    next_cursor = serializers.CharField(allow_null=True)


class ReconciliationExceptionsView(APIView):
    """What differs."""

    required_permissions: ClassVar = {"GET": "ledger.read"}
    header_parameters: ClassVar = {"GET": [CONSISTENCY_TOKEN]}

    @extend_schema(
        operation_id="listReconciliationExceptions",
        responses={200: ExceptionPage},
        parameters=[OpenApiParameter("status", str, enum=STATUSES), *_PAGE],
    )
    def get(self, request: Request) -> Response:
        """List differences between gateways' lists and our books, the newest first."""
        parameters = query_parameters(request, allowed=PARAMETERS | {"status"})
        wanted = read_page(request, client=principal_of(request).client, parameters=parameters)
        status = parameters.get("status")
        if status is not None and status not in STATUSES:
            raise invalid_field("status", code="invalid", detail=f"Send one of {', '.join(STATUSES)}.")
        is_open = None if status is None else status == "open"
        rows = reconciliation_exceptions(is_open=is_open)
        return Response(page_of_queryset(rows, wanted=wanted, represent=_represent_exception))


class ResolveExceptionView(APIView):
    """A person's word about a difference."""

    required_permissions: ClassVar = {"POST": "ledger.reconcile"}

    @extend_schema(
        operation_id="resolveReconciliationException",
        request=ResolveRequest,
        responses={200: ExceptionShape},
    )
    def post(self, request: Request, exception_id: UUID) -> Response:
        """Resolve a difference with a note. It stays resolved while both sides say the same."""
        note = ResolveRequest.read(request.data)["note"]
        operator = principal_of(request).client
        resolved = resolve_exception(exception_id, operator=operator, note=note, now=clock.now())
        return Response(_represent_exception(resolved))


class ReconciliationRunsView(APIView):
    """What was compared."""

    required_permissions: ClassVar = {"GET": "ledger.read"}
    header_parameters: ClassVar = {"GET": [CONSISTENCY_TOKEN]}

    @extend_schema(operation_id="listReconciliationRuns", responses={200: RunPage}, parameters=_PAGE)
    def get(self, request: Request) -> Response:
        """List reconciliation runs, the newest first."""
        parameters = query_parameters(request, allowed=PARAMETERS)
        wanted = read_page(request, client=principal_of(request).client, parameters=parameters)
        rows = ReconciliationRun.objects.all()
        return Response(page_of_queryset(rows, wanted=wanted, represent=_represent_run))


def _represent_exception(row: ReconciliationException) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "gateway": row.gateway,
        "kind": row.kind,
        "reference": row.reference,
        "payment_id": str(row.payment_id) if row.payment_id else None,
        "order_id": str(row.order_id) if row.order_id else None,
        "ours": row.ours,
        "theirs": row.theirs,
        "status": "open" if row.resolved_at is None else "resolved",
        "occurred_at": timestamp(row.occurred_at),
        "first_seen_at": timestamp(row.first_seen_at),
        "last_seen_at": timestamp(row.last_seen_at),
        "resolved_at": timestamp(row.resolved_at),
        "resolved_by": row.resolved_by or None,
        "resolution": row.resolution or None,
    }


def _represent_run(run: ReconciliationRun) -> dict[str, Any]:
    return {
        "id": str(run.pk),
        "gateway": run.gateway,
        "status": run.status,
        "since": timestamp(run.since),
        "lines": run.lines,
        "matched": run.matched,
        "booked": run.booked,
        "under_way": run.under_way,
        "accepted": run.accepted,
        "exceptions": run.exceptions,
        "explained": [
            {
                "currency": currency,
                "items": share.items,
                "explained": share.explained,
                "percent": percent(share.explained_bp),
                "amount": share.amount_minor,
                "explained_amount": share.explained_minor,
                "amount_percent": percent(share.explained_amount_bp),
            }
            for currency, share in shares_of(run.summary).items()
        ],
        "error": run.error or None,
        "started_at": timestamp(run.started_at),
        "finished_at": timestamp(run.finished_at),
    }
