"""Addresses of the event feed, below `/api/v1/`."""

from django.urls import path

from resilience.events.views import EventsView

urlpatterns = [path("events", EventsView.as_view(), name="events")]
