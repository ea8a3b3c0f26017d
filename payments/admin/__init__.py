"""What operators see of this context; importing registers it."""

from payments.admin import ledger, payments, reconciliation

__all__ = ["ledger", "payments", "reconciliation"]
