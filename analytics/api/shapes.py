"""Reports over HTTP, as the OpenAPI document describes them."""

from typing import Any

from rest_framework import serializers


class ReportLine(serializers.Serializer[Any]):
    """A report that can be asked for."""

    name = serializers.CharField()
    question = serializers.CharField()
    granularities = serializers.ListField(child=serializers.CharField())


class ReportList(serializers.Serializer[Any]):
    """Every report."""

    data = ReportLine(many=True)  # type: ignore[assignment] # the name is the API's


class ReportPeriod(serializers.Serializer[Any]):
    """The rows of a period. Their fields are the report's: docs/reports.md."""

    to = serializers.DateField(help_text="the last day, included")
    data = serializers.ListField(child=serializers.DictField())  # type: ignore[assignment]

    def get_fields(self) -> dict[str, Any]:
        """Return the fields; `from` is a word of Python's."""
        return {"from": serializers.DateField(help_text="the first day"), **super().get_fields()}


class ReportShape(ReportPeriod):
    """A report. `told_until`: what happened after this moment is not in it yet."""

    report = serializers.CharField()
    time_zone = serializers.CharField()
    granularity = serializers.CharField(allow_null=True)
    currency = serializers.CharField(allow_null=True)
    told_until = serializers.DateTimeField(allow_null=True)
    comparison = ReportPeriod(allow_null=True)
