"""Disputes as Stripe publishes them."""

import json
from typing import Any

from .balance_shapes import balance_transaction_shape
from .methods import find_method
from .records import BalanceTransaction, Dispute, DisputeStatus

# What an issuer gives a merchant to answer.
_ANSWER_S = 7 * 24 * 3600

_EVIDENCE = (
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
)
_REASON_CODES = {"fraudulent": "10.4", "product_not_received": "13.1", "duplicate": "12.6"}
_REASON_CODE_OTHER = "13.7"


def dispute_shape(dispute: Dispute) -> dict[str, Any]:
    """Return the Dispute object."""
    is_open = dispute.status == DisputeStatus.NEEDS_RESPONSE
    return {
        "id": dispute.id,
        "object": "dispute",
        "amount": dispute.amount,
        "balance_transactions": [
            balance_transaction_shape(BalanceTransaction(*row)) for row in json.loads(dispute.movements)
        ],
        "charge": dispute.charge_id,
        "created": dispute.created,
        "currency": dispute.currency,
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(_EVIDENCE), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": dispute.created + _ANSWER_S if is_open else None,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": None,
        },
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": dispute.intent_id,
        "payment_method_details": _method_details(dispute),
        "reason": dispute.reason,
        "status": dispute.status,
    }


def _method_details(dispute: Dispute) -> dict[str, Any]:
    method = find_method(dispute.payment_method)
    if method.type != "card":
        return {"type": method.type}
    return {
        "type": "card",
        "card": {
            "brand": method.brand,
            "case_type": "chargeback",
            "network": method.brand,
            "network_reason_code": _REASON_CODES.get(dispute.reason, _REASON_CODE_OTHER),
        },
    }
