"""What a person does in the gateway's own dashboard, behind the merchant's back.

Each is the same effect, with the same events, as the call of the API; only nobody told the merchant.
"""

from dataclasses import replace

from . import intents, parameters, refunds
from .book import Book
from .calls import Answer, Call
from .methods import find_method

_METHOD = "pm_card_visa"


def refund(book: Book, call: Call) -> Answer:
    """`POST /_console/refund`: without an amount, all that is left."""
    parameters.refuse_unknown(call.form, ("amount", "payment_intent", "reason"))
    parameters.required_text(call.form, "payment_intent")
    return refunds.create(book, call)


def capture(book: Book, call: Call) -> Answer:
    """`POST /_console/capture`: without an amount, all that is held."""
    parameters.refuse_unknown(call.form, ("amount", "payment_intent"))
    subject = parameters.required_text(call.form, "payment_intent")
    amount = parameters.text(call.form, "amount")
    form = {} if amount is None else {"amount_to_capture": amount}
    return intents.capture(book, replace(call, subject=subject, form=form))


def cancel(book: Book, call: Call) -> Answer:
    """`POST /_console/cancel`."""
    parameters.refuse_unknown(call.form, ("payment_intent",))
    subject = parameters.required_text(call.form, "payment_intent")
    form = {"cancellation_reason": "requested_by_customer"}
    return intents.cancel(book, replace(call, subject=subject, form=form))


def charge(book: Book, call: Call) -> Answer:
    """`POST /_console/charge`: a payment of which the merchant knows nothing, taken at once."""
    parameters.refuse_unknown(call.form, ("amount", "currency", "metadata", "payment_method"))
    method = parameters.text(call.form, "payment_method") or _METHOD
    form = {
        **call.form,
        "capture_method": "automatic",
        "confirm": "true",
        "payment_method": method,
        "payment_method_types": find_method(method).type,
    }
    return intents.create(book, replace(call, form=form))
