"""Reports over HTTP: translate in, make one call, translate out."""

from typing import ClassVar

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from analytics.api.reading import READ, read_asked
from analytics.api.shapes import ReportList, ReportShape
from analytics.reports import definitions
from analytics.reports.download import download
from analytics.reports.exporting import CONTENT_TYPES
from analytics.reports.keeping import body_of
from analytics.reports.reading import COMPARED, report_named
from resilience import clock
from resilience.rest.errors import invalid_field
from resilience.rest.kept import answer_kept
from resilience.rest.query import query_parameters

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
        return answer_kept(request, body_of(asked))


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
        return download(asked, parameters.get("format", "csv"))
