"""Addresses of reports, below `/api/v1/`."""

from django.urls import path

from analytics.api.views import ReportExportView, ReportsView, ReportView

urlpatterns = [
    path("reports", ReportsView.as_view(), name="reports"),
    path("reports/<str:name>", ReportView.as_view(), name="report"),
    path("reports/<str:name>/export", ReportExportView.as_view(), name="report-export"),
]
