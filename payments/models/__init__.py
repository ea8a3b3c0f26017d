"""Rows of the payments context, with the invariants that no code may break."""

from payments.models.dispute import Dispute
from payments.models.ledger import LedgerEntry, LedgerSeal, LedgerTransaction
from payments.models.notice import GatewayNotice
from payments.models.operation import Operation
from payments.models.payment import Payment
from payments.models.reconciliation import ReconciledFact, ReconciliationException, ReconciliationRun
from payments.models.refund import Refund

__all__ = [
    "Dispute",
    "GatewayNotice",
    "LedgerEntry",
    "LedgerSeal",
    "LedgerTransaction",
    "Operation",
    "Payment",
    "ReconciledFact",
    "ReconciliationException",
    "ReconciliationRun",
    "Refund",
]
