"""What payments promise, as checks: charging (C), the ledger (L), bookkeeping between the two (B).

Importing the package registers them. What needs an order's row too is in config/audit.
"""

from payments.audit import bookkeeping, charging, gateway_checks, ledger

__all__ = ["bookkeeping", "charging", "gateway_checks", "ledger"]
