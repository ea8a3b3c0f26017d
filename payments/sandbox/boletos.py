"""Boletos: slips that a payer takes to a bank. In life it takes days; here, seconds if not told otherwise."""

import math
from hashlib import sha256

from .book import Book
from .calls import Call
from .methods import Payer, find_method
from .records import Intent, Status
from .shapes import dump
from .timers import TimerKind, set_timer

# A slip's number has 47 digits and begins with the bank's.
_NUMBER_LENGTH = 47
_BANK = "001"


def issue(book: Book, call: Call, intent: Intent, *, method: str) -> None:
    """Show the payer a slip, and plan what its payer will do. The caller saves the intent."""
    settings = call.settings
    pays_at = call.received_at + settings.boleto_pays_after_s
    expires_at = call.received_at + settings.boleto_expires_after_s
    payer = find_method(method).payer
    if payer == Payer.LATE:
        expires_at = pays_at
    if payer == Payer.PUNCTUAL and pays_at < expires_at:
        set_timer(book, subject=intent.id, kind=TimerKind.PAY, due_at=pays_at)
    else:
        set_timer(book, subject=intent.id, kind=TimerKind.LAPSE, due_at=expires_at)
    page = f"{call.base_url}/_pay/{intent.id}"
    intent.status = Status.REQUIRES_ACTION
    intent.last_payment_error = None
    intent.next_action = dump(
        {
            "type": "boleto_display_details",
            "boleto_display_details": {
                "expires_at": math.ceil(expires_at),
                "hosted_voucher_url": page,
                "number": _number(intent),
                "pdf": f"{page}?format=pdf",
            },
        }
    )


def _number(intent: Intent) -> str:
    """Return the slip's number; like a real one it ends with the amount, and nothing can be read from it."""
    amount = f"{intent.amount:010}"
    digits = str(int.from_bytes(sha256(intent.id.encode()).digest()))
    return _BANK + digits[: _NUMBER_LENGTH - len(_BANK) - len(amount)] + amount
