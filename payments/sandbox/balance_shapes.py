"""Movements of money as Stripe publishes them."""

from typing import Any

from .records import BalanceTransaction


def balance_transaction_shape(transaction: BalanceTransaction) -> dict[str, Any]:
    """Return the BalanceTransaction object. Money is available at once here; at Stripe in some days."""
    return {
        "id": transaction.id,
        "object": "balance_transaction",
        "amount": transaction.amount,
        "available_on": transaction.created,
        "balance_type": "payments",
        "created": transaction.created,
        "currency": transaction.currency,
        "description": None,
        "exchange_rate": None,
        "fee": transaction.fee,
        "fee_details": _fee_details(transaction),
        "net": transaction.amount - transaction.fee,
        "reporting_category": transaction.reporting_category,
        "source": transaction.source,
        "status": "available",
        "type": transaction.type,
    }


def _fee_details(transaction: BalanceTransaction) -> list[dict[str, Any]]:
    if transaction.fee == 0:
        return []
    return [
        {
            "amount": transaction.fee,
            "application": None,
            "currency": transaction.currency,
            "description": "Sandbox processing fees",
            "type": "stripe_fee",
        }
    ]
