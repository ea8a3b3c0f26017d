"""Addresses of webhooks out, below `/api/v1/`."""

from django.urls import path

from resilience.webhooks import views

_ENDPOINT = "webhook-endpoints/<uuid:endpoint_id>"
_DELIVERY = "webhook-deliveries/<uuid:delivery_id>"

urlpatterns = [
    path("webhook-endpoints", views.EndpointsView.as_view(), name="webhook-endpoints"),
    path(_ENDPOINT, views.EndpointView.as_view(), name="webhook-endpoint"),
    path(f"{_ENDPOINT}/rotate-secret", views.RotateSecretView.as_view(), name="webhook-rotate-secret"),
    path(f"{_ENDPOINT}/test", views.TestView.as_view(), name="webhook-test"),
    path(f"{_ENDPOINT}/deliveries", views.DeliveriesView.as_view(), name="webhook-deliveries"),
    path(f"{_ENDPOINT}/redeliver", views.RedeliverManyView.as_view(), name="webhook-redeliver-many"),
    path(_DELIVERY, views.DeliveryView.as_view(), name="webhook-delivery"),
    path(f"{_DELIVERY}/redeliver", views.RedeliverView.as_view(), name="webhook-redeliver"),
]
