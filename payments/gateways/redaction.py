"""What of a notice may be kept: facts of the money, and nothing that says who paid.

The danger: an event carries names, addresses, e-mail, tax numbers and secrets that let a browser act
on the charge, in places that grow with every version of the gateway's API. So this is a list of what
is kept, not of what is struck out: a field that nobody has thought of is not stored.
"""

from collections.abc import Mapping

from payments.gateways.notices import is_about_a_charge
from resilience.rest.card_numbers import holds_card_number

# By name, at any depth.
_KEPT = frozenset(
    {
        # the event
        "account", "api_version", "created", "data", "id", "idempotency_key", "livemode", "object",
        "pending_webhooks", "previous_attributes", "request", "type",
        # amounts and states
        "amount", "amount_authorized", "amount_capturable", "amount_captured", "amount_received",
        "amount_refunded", "balance_transaction", "balance_transactions", "canceled_at",
        "cancellation_reason", "capture_before", "capture_method", "captured", "currency", "disputed",
        "expires_at", "fee", "is_charge_refundable", "net", "paid", "processing", "reason", "refunded",
        "status",
        # what it is tied to
        "charge", "customer", "latest_charge", "payment_intent", "payment_method", "payment_method_details",
        "payment_method_types",
        # why it failed, or how it goes on
        "advice_code", "code", "decline_code", "failure_balance_transaction", "failure_code",
        "failure_reason", "last_payment_error", "network_status", "next_action", "outcome", "risk_level",
        # a dispute's dates
        "due_by", "evidence_details", "has_evidence", "past_due", "submission_count",
        # the means of payment
        "boleto", "brand", "card", "last4", "voucher",
    }
)  # fmt: skip
_KEPT_OF_CARD = frozenset({"brand", "capture_before", "last4"})
# Ours; an account that others use too carries anything.
_KEPT_OF_METADATA = frozenset({"operation_key", "order_id", "payment_id", "refund_id"})
_KEPT_OF_STRANGERS = frozenset({"id", "object"})
_CARD_NUMBER = "[card number]"


def redacted(document: Mapping[str, object], *, type_: str) -> dict[str, object]:
    """Return what of an event of `type_` is stored; of an object that is no charge, only which it is."""
    kept = _kept_members(document)
    if not is_about_a_charge(type_):
        kept["data"] = {"object": _only(_subject(document), _KEPT_OF_STRANGERS)}
    return kept


def _subject(document: Mapping[str, object]) -> object:
    data = document.get("data")
    return data.get("object") if isinstance(data, Mapping) else None


def _only(value: object, names: frozenset[str]) -> dict[str, object]:
    if not isinstance(value, Mapping):
        return {}
    return {
        name: _kept(member)
        for name, member in value.items()
        if name in names and not isinstance(member, Mapping | list)
    }


def _kept_members(value: Mapping[str, object]) -> dict[str, object]:
    kept: dict[str, object] = {}
    for name, member in value.items():
        if name == "metadata":
            kept[name] = _only(member, _KEPT_OF_METADATA)
        elif name == "card":
            kept[name] = _only(member, _KEPT_OF_CARD)
        elif name in _KEPT:
            kept[name] = _kept(member)
    return kept


def _kept(value: object) -> object:
    if isinstance(value, Mapping):
        return _kept_members(value)
    if isinstance(value, list):
        return [_kept(item) for item in value]
    if isinstance(value, str | int) and holds_card_number(str(value)):
        return _CARD_NUMBER
    return value
