"""Addresses of the payments API, below `/api/v1/`."""

from django.urls import path

from payments.api.ledger_views import LedgerBalancesView, LedgerEntriesView, PaymentLedgerView
from payments.api.views import PaymentView

urlpatterns = [
    path("ledger/balances", LedgerBalancesView.as_view(), name="ledger-balances"),
    path("ledger/entries", LedgerEntriesView.as_view(), name="ledger-entries"),
    path("payments/<uuid:payment_id>", PaymentView.as_view(), name="payment"),
    path("payments/<uuid:payment_id>/ledger", PaymentLedgerView.as_view(), name="payment-ledger"),
]
