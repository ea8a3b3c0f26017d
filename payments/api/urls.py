"""Addresses of the payments API, below `/api/v1/`."""

from django.urls import path

from payments.api.ledger_views import LedgerBalancesView, LedgerEntriesView, PaymentLedgerView
from payments.api.reconciliation_views import (
    ReconciliationExceptionsView,
    ReconciliationRunsView,
    ResolveExceptionView,
)
from payments.api.refund_views import RefundsView, RefundView
from payments.api.views import PaymentView

_PAYMENT = "payments/<uuid:payment_id>"

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
    path(_PAYMENT, PaymentView.as_view(), name="payment"),
    path(f"{_PAYMENT}/ledger", PaymentLedgerView.as_view(), name="payment-ledger"),
    path(f"{_PAYMENT}/refunds", RefundsView.as_view(), name="refunds"),
    path(f"{_PAYMENT}/refunds/<uuid:refund_id>", RefundView.as_view(), name="refund"),
]
