"""Addresses of the event feed, below `/api/v1/`."""

from django.urls import path

from resilience.events.views import AsyncApiView, EventsView

urlpatterns = [
    path("events", EventsView.as_view(), name="events"),
    path("asyncapi", AsyncApiView.as_view(), name="asyncapi"),
]
