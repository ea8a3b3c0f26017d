"""The probes: no authentication, no trailing slash."""

from django.urls import path

from resilience.health import views

urlpatterns = [
    path("livez", views.livez, name="livez"),
    path("readyz", views.readyz, name="readyz"),
    path("healthz", views.healthz, name="healthz"),
]
