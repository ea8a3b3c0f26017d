"""The movements of Stripe's balance, in our words. Pure; the calls are in `stripe.py`."""

from payments.gateways.base import LineKind, StatementLine
from payments.gateways.stripe_fields import Object, id_at, part, required_id, required_moment, text
from payments.gateways.stripe_observation import amount_of, currency_of

# Stripe's own advice: the category tells what the type does not (an "adjustment" may be a dispute).
_KINDS = {
    "charge": LineKind.CHARGE,
    "refund": LineKind.REFUND,
    "refund_failure": LineKind.REFUND_FAILED,
    "dispute": LineKind.DISPUTE,
    "dispute_reversal": LineKind.DISPUTE_WON,
}
# For a line without a category. `payment_failure_refund` is not here: it is no refund that failed, but
# a delayed payment that did.
_KINDS_OF_TYPES = {
    "charge": LineKind.CHARGE,
    "payment": LineKind.CHARGE,
    "refund": LineKind.REFUND,
    "payment_refund": LineKind.REFUND,
    "refund_failure": LineKind.REFUND_FAILED,
}


def line_of(transaction: Object) -> StatementLine:
    """Return a line of the statement; `source` should be expanded. Raises UnusableError.

    The amount is what moved the balance: in its currency, which for a charge in a foreign one is another.
    """
    amount_minor = amount_of(transaction, "amount")
    return StatementLine(
        id=required_id(transaction),
        kind=_kind_of(transaction, amount_minor),
        amount_minor=amount_minor,
        fee_minor=amount_of(transaction, "fee"),
        currency=currency_of(transaction),
        source=id_at(transaction, "source"),
        reference=id_at(part(transaction, "source"), "payment_intent"),
        created_at=required_moment(transaction, "created"),
    )


def _kind_of(transaction: Object, amount_minor: int) -> LineKind:
    category, type = text(transaction, "reporting_category"), text(transaction, "type")
    kinds, word = (_KINDS, category) if category else (_KINDS_OF_TYPES, type)
    kind = kinds.get(word, LineKind.OTHER)
    # Money that comes back from a refund: for other methods than cards, Stripe uses the same type.
    return LineKind.REFUND_FAILED if kind is LineKind.REFUND and amount_minor > 0 else kind
