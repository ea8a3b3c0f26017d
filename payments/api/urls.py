"""Addresses of the payments API, below `/api/v1/`."""

from django.urls import path

from payments.api.ledger_views import LedgerBalancesView, LedgerEntriesView, PaymentLedgerView
from payments.api.reconciliation_views import (
    ReconciliationExceptionsView,
    ReconciliationRunsView,
    ResolveExceptionView,
)
from payments.api.views import PaymentView

urlpatterns = [
    path("ledger/balances", LedgerBalancesView.as_view(), name="ledger-balances"),
    path("ledger/entries", LedgerEntriesView.as_view(), name="ledger-entries"),
    path(
        "reconciliation/exceptions",
        ReconciliationExceptionsView.as_view(),
        name="reconciliation-exceptions",
    ),
    path(
        "reconciliation/exceptions/<uuid:exception_id>/resolve",
        ResolveExceptionView.as_view(),
        name="reconciliation-exception-resolve",
    ),
    path("reconciliation/runs", ReconciliationRunsView.as_view(), name="reconciliation-runs"),
    path("payments/<uuid:payment_id>", PaymentView.as_view(), name="payment"),
    path("payments/<uuid:payment_id>/ledger", PaymentLedgerView.as_view(), name="payment-ledger"),
]
