"""Reports over HTTP: translate in, make one call, translate out."""

from collections.abc import Iterator
from typing import Any, ClassVar

from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from analytics.api.reading import COMPARED, READ, read_asked, report_named
from analytics.api.shapes import ReportList, ReportShape
from analytics.caches import FRESH, REPORTS
from analytics.reports import definitions
from analytics.reports.answering import Asked, document_of
from analytics.reports.exporting import CONTENT_TYPES, export
from resilience import clock
from resilience.caching import Loaded
from resilience.rest.errors import invalid_field
from resilience.rest.kept import Kept, answer_kept
from resilience.rest.query import query_parameters
from resilience.rest.rendering import to_json

_ASKED = [
    OpenApiParameter("from", OpenApiTypes.DATE, description="the first day; 30 days by default"),
    OpenApiParameter("to", OpenApiTypes.DATE, description="the last day, included; today by default"),
    OpenApiParameter("time_zone", str, description="IANA name, in which a day begins; UTC by default"),
    OpenApiParameter("granularity", str, enum=["minute", "hour", *definitions.PERIODS]),
    OpenApiParameter("currency", str, description="ISO 4217; all by default"),
    OpenApiParameter("all_clients", bool, description="needs the permission `reports.all`"),
]
_COMPARED = OpenApiParameter("compare", str, enum=list(COMPARED))
_FORMAT = OpenApiParameter("format", str, enum=list(CONTENT_TYPES))


class ReportsView(APIView):
    """Every report."""

    required_permissions: ClassVar = {"GET": READ}

    @extend_schema(operation_id="listReports", responses={200: ReportList})
    def get(self, request: Request) -> Response:
        """List the reports that there are."""
        query_parameters(request, allowed=frozenset())
        lines = [
            {"name": report.name, "question": report.question, "granularities": list(report.granularities)}
            for report in definitions.REPORTS.values()
        ]
        return Response({"data": lines})


class ReportView(APIView):
    """One report."""

    required_permissions: ClassVar = {"GET": READ}

    @extend_schema(operation_id="getReport", responses={200: ReportShape}, parameters=[*_ASKED, _COMPARED])
    def get(self, request: Request, name: str) -> HttpResponseBase:
        """Answer a report from the lake, at most half a minute old and a batch of the lake."""
        asked, parameters = read_asked(request, report_named(name), now=clock.now())
        if "format" in parameters:
            raise invalid_field("format", code="invalid", detail="Ask for the export: …/export?format=csv.")
        body = _kept(asked).body()
        if body is None:
            raise AssertionError("a report without rows is a report")
        return answer_kept(request, body)


class ReportExportView(APIView):
    """A report as a file."""

    required_permissions: ClassVar = {"GET": READ}

    @extend_schema(
        operation_id="exportReport",
        responses={(200, media_type): OpenApiTypes.BINARY for media_type in CONTENT_TYPES.values()},
        parameters=[*_ASKED, _FORMAT],
    )
    def get(self, request: Request, name: str) -> HttpResponseBase:
        """Stream a report's rows as CSV (default) or Parquet. Amounts are minor units there."""
        asked, parameters = read_asked(request, report_named(name), now=clock.now())
        format_ = parameters.get("format", "csv")
        if format_ not in CONTENT_TYPES:
            known = ", ".join(CONTENT_TYPES)
            raise invalid_field("format", code="invalid_choice", detail=f"Send one of: {known}.")
        pieces = export(asked, format_)
        # Asked for here, so that what is wrong with it is a problem and no file that breaks off.
        first = next(pieces, b"")
        return StreamingHttpResponse(
            _behind(first, pieces),
            content_type=CONTENT_TYPES[format_],
            headers={"Content-Disposition": f'attachment; filename="{name}.{format_}"'},
        )


def _kept(asked: Asked) -> Kept:
    def load() -> Loaded:
        return Loaded(to_json(document_of(asked)).encode(), FRESH)

    what: list[Any] = [asked.first, asked.last, asked.zone, asked.currency, asked.granularity, asked.compared]
    # No client is named "": that is the key of those who may see all.
    key = REPORTS.key(asked.client or "", asked.report.name, "|".join(map(str, what)))
    return Kept(REPORTS, key, load)


def _behind(first: bytes, others: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from others
