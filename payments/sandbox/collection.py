"""What becomes of a boleto: paid, then cleared between the banks; or lapsed."""

from . import confirmation, parameters
from .book import Book
from .calls import Answer, Call, Cause
from .errors import invalid, unexpected_state
from .intents import answer_with, load_intent
from .methods import Decline, find_method
from .records import Intent, Status
from .shapes import intent_shape
from .timers import TimerKind, drop_timer, set_timer

_OPEN = (Status.REQUIRES_ACTION, Status.PROCESSING)
_LAPSED = Decline("payment_intent_payment_attempt_expired", "", "The boleto was not paid before it expired.")
_FAILED = Decline("payment_intent_payment_attempt_failed", "", "The payment of the boleto has failed.")


def pay(book: Book, cause: Cause, intent_id: str) -> None:
    """The payer has paid; the money is on its way."""
    intent = book.intent(intent_id)
    if intent is not None and intent.status == Status.REQUIRES_ACTION:
        _process(book, cause, intent)
        due_at = cause.received_at + cause.settings.boleto_clears_after_s
        set_timer(book, subject=intent.id, kind=TimerKind.CLEAR, due_at=due_at)


def clear(book: Book, cause: Cause, intent_id: str) -> None:
    """The money has come."""
    intent = book.intent(intent_id)
    if intent is not None and intent.status == Status.PROCESSING:
        _receive(book, cause, intent)


def lapse(book: Book, cause: Cause, intent_id: str) -> None:
    """Nobody paid in time."""
    intent = book.intent(intent_id)
    if intent is not None and intent.status == Status.REQUIRES_ACTION:
        _fail(book, cause, intent, why=_LAPSED)


def pay_now(book: Book, call: Call) -> Answer:
    """`POST /_pay/{id}`: paid and cleared, or failed, at once. Not an endpoint of Stripe."""
    outcome = parameters.choice(call.form, "outcome", ("succeed", "fail"))
    if outcome is None:
        raise invalid("Missing required param: outcome.", param="outcome", code="parameter_missing")
    intent = load_intent(book, call.subject)
    if intent.status not in _OPEN or not _is_boleto(intent):
        raise unexpected_state(
            f"This PaymentIntent has no boleto to pay: its status is {intent.status}.",
            payment_intent=intent_shape(intent),
        )
    drop_timer(book, intent.id)
    if outcome == "fail":
        _fail(book, call, intent, why=_FAILED)
    else:
        if intent.status == Status.REQUIRES_ACTION:
            _process(book, call, intent)
        _receive(book, call, intent)
    return answer_with(book, intent)


def _process(book: Book, cause: Cause, intent: Intent) -> None:
    intent.status = Status.PROCESSING
    intent.next_action = None
    book.change_intent(intent)
    confirmation.announce(book, cause, intent)


def _receive(book: Book, cause: Cause, intent: Intent) -> None:
    confirmation.authorize(book, cause, intent, decline=None)
    book.change_intent(intent)
    confirmation.announce(book, cause, intent)


def _fail(book: Book, cause: Cause, intent: Intent, *, why: Decline) -> None:
    confirmation.refuse(book, cause, intent, decline=why, charged=False)
    book.change_intent(intent)
    confirmation.announce(book, cause, intent)


def _is_boleto(intent: Intent) -> bool:
    return intent.payment_method is not None and find_method(intent.payment_method).type == "boleto"
