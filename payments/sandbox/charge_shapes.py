"""Charges and refunds as Stripe publishes them, made from the book's rows."""

import json
from typing import Any

from .method_shapes import BILLING, charge_details
from .methods import find_method
from .records import Charge, Refund


def charge_shape(charge: Charge) -> dict[str, Any]:
    """Return the Charge object."""
    succeeded = charge.status == "succeeded"
    return {
        "id": charge.id,
        "object": "charge",
        "amount": charge.amount,
        "amount_captured": charge.amount_captured,
        "amount_refunded": charge.amount_refunded,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": charge.balance_transaction,
        "billing_details": BILLING,
        "calculated_statement_descriptor": "HOLDFAST SANDBOX" if succeeded else None,
        "captured": charge.amount_captured > 0,
        "created": charge.created,
        "currency": charge.currency,
        "customer": charge.customer,
        "description": None,
        "disputed": bool(charge.disputed),
        "failure_balance_transaction": None,
        "failure_code": charge.failure_code,
        "failure_message": charge.failure_message,
        "fraud_details": {},
        "livemode": False,
        "metadata": json.loads(charge.metadata),
        "on_behalf_of": None,
        "outcome": _outcome(charge),
        "paid": succeeded,
        "payment_intent": charge.intent_id,
        "payment_method": charge.payment_method,
        "payment_method_details": charge_details(charge),
        "receipt_email": None,
        "receipt_number": None,
        "receipt_url": None,
        "refunded": 0 < charge.amount_captured == charge.amount_refunded,
        "review": None,
        "shipping": None,
        "source": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": charge.status,
        "transfer_data": None,
        "transfer_group": None,
    }


def refund_shape(refund: Refund) -> dict[str, Any]:
    """Return the Refund object; like Stripe's, it tells of a failure only when there was one."""
    shape = {
        "id": refund.id,
        "object": "refund",
        "amount": refund.amount,
        "balance_transaction": refund.balance_transaction,
        "charge": refund.charge_id,
        "created": refund.created,
        "currency": refund.currency,
        "destination_details": _destination(refund),
        "metadata": json.loads(refund.metadata),
        "payment_intent": refund.intent_id,
        "reason": refund.reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": refund.status,
        "transfer_reversal": None,
    }
    if refund.status == "pending":
        shape["pending_reason"] = "processing"
    if refund.failure_reason is not None:
        shape["failure_reason"] = refund.failure_reason
        shape["failure_balance_transaction"] = refund.failure_balance_transaction
    return shape


def _destination(refund: Refund) -> dict[str, Any]:
    type = find_method(refund.payment_method).type
    if type != "card":
        return {"type": type}
    return {
        "type": "card",
        "card": {
            "reference_status": "pending",
            "reference_type": "acquirer_reference_number",
            "type": "refund",
        },
    }


def _outcome(charge: Charge) -> dict[str, Any]:
    if charge.status == "succeeded":
        return {
            "advice_code": None,
            "network_advice_code": None,
            "network_decline_code": None,
            "network_status": "approved_by_network",
            "reason": None,
            "risk_level": "normal",
            "risk_score": 20,
            "seller_message": "Payment complete.",
            "type": "authorized",
        }
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "declined_by_network",
        "reason": charge.decline_code,
        "risk_level": "normal",
        "risk_score": 20,
        "seller_message": "The bank did not return any further details with this decline.",
        "type": "issuer_declined",
    }
