"""`/metrics`: no trailing slash, and no API key."""

from django.urls import path

from resilience.telemetry import views

urlpatterns = [path("metrics", views.metrics, name="metrics")]
