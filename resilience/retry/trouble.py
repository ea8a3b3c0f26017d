"""Why something is tried again: the classes of error that policies and budgets tell apart."""

from enum import StrEnum


class Trouble(StrEnum):
    """What went wrong, as far as a retry is concerned; what is in none of these is not retried.

    TRANSPORT: refused, reset, timed out, 5xx. OVERLOAD: the other side says that it has too much to do.
    DOUBT: asked and not answered; the retry begins with a question. CONTENTION: lost a race against others.
    """

    TRANSPORT = "transport"
    OVERLOAD = "overload"
    DOUBT = "doubt"
    CONTENTION = "contention"
