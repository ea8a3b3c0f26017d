"""Addresses of the payments API, below `/api/v1/`."""

from django.urls import path

from payments.api.views import PaymentView

urlpatterns = [path("payments/<uuid:payment_id>", PaymentView.as_view(), name="payment")]
