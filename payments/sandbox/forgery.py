"""Differences planted in the book, for a reconciliation to find. No gateway does this; no event tells."""

from . import parameters
from .book import Book
from .calls import Answer, Call
from .errors import invalid
from .intents import answer_with, load_intent
from .records import Charge, Intent
from .shapes import dump

_TAMPER_INTENT = (
    "UPDATE intents SET amount = ?, amount_capturable = ?, amount_received = ?, currency = ? WHERE id = ?"
)
_TAMPER_CHARGE = "UPDATE charges SET amount = ?, amount_captured = ?, currency = ? WHERE id = ?"
_TAMPER_MOVEMENT = "UPDATE balance_transactions SET amount = ?, currency = ? WHERE id = ?"

# The children first. The events stay: what was told cannot be taken back. So do the requests, which are
# the witness's own.
_FORGET = (
    "DELETE FROM timers WHERE subject = :id"
    " OR subject IN (SELECT id FROM charges WHERE intent_id = :id)"
    " OR subject IN (SELECT id FROM refunds WHERE intent_id = :id)",
    "DELETE FROM balance_transactions WHERE intent_id = :id",
    "DELETE FROM disputes WHERE intent_id = :id",
    "DELETE FROM refunds WHERE intent_id = :id",
    "DELETE FROM charges WHERE intent_id = :id",
    "DELETE FROM intent_metadata WHERE intent_seq = (SELECT seq FROM intents WHERE id = :id)",
    "DELETE FROM intents WHERE id = :id",
    "DELETE FROM answers WHERE intent_id = :id",
)


def tamper(book: Book, call: Call) -> Answer:
    """`POST /_console/tamper`: another amount or currency, in the intent, its charge and the movement.

    What is held or captured becomes the whole amount; the fee, refunds and disputes stay as they were.
    """
    form = call.form
    parameters.refuse_unknown(form, ("amount", "currency", "payment_intent"))
    intent = load_intent(book, parameters.required_text(form, "payment_intent"))
    amount = parameters.amount(form, "amount")
    currency = parameters.currency(form) if form.get("currency") else None
    if amount is None and currency is None:
        raise invalid("Missing required param: amount or currency.", code="parameter_missing")
    charge = book.charge(intent.latest_charge or "")
    if amount is not None:
        _change_amount(intent, charge, amount)
    intent.currency = currency or intent.currency
    sums = (intent.amount, intent.amount_capturable, intent.amount_received)
    book.connection.execute(_TAMPER_INTENT, (*sums, intent.currency, intent.id))
    if charge is not None:
        values = (charge.amount, charge.amount_captured, intent.currency, charge.id)
        book.connection.execute(_TAMPER_CHARGE, values)
        movement = (charge.amount_captured, intent.currency, charge.balance_transaction)
        book.connection.execute(_TAMPER_MOVEMENT, movement)
    return answer_with(book, intent)


def forget(book: Book, call: Call) -> Answer:
    """`POST /_console/forget`: as if the payment had never been here, answers to its keys included."""
    parameters.refuse_unknown(call.form, ("payment_intent",))
    intent = load_intent(book, parameters.required_text(call.form, "payment_intent"))
    for sql in _FORGET:
        book.connection.execute(sql, {"id": intent.id})
    return Answer(200, dump({"forgotten": intent.id}), order_id=intent.order_id, intent_id=intent.id)


def _change_amount(intent: Intent, charge: Charge | None, amount: int) -> None:
    if charge is not None and amount < charge.amount_refunded:
        raise invalid(
            f"The amount ({amount}) is less than what was refunded ({charge.amount_refunded}).",
            param="amount",
        )
    intent.amount = amount
    intent.amount_capturable = amount if intent.amount_capturable else 0
    intent.amount_received = amount if intent.amount_received else 0
    if charge is not None:
        charge.amount = amount
        charge.amount_captured = amount if charge.amount_captured else 0
