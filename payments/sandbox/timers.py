"""What the gateway will do by itself, and when: rows of the book, so that a restart forgets none.

A subject has one timer at most: what happens next to it. Setting another replaces it.
"""

from dataclasses import dataclass
from enum import StrEnum

from .book import Book


class TimerKind(StrEnum):
    """What happens to the subject when the time comes; `clockwork.EFFECTS` says how."""

    PAY = "pay"
    CLEAR = "clear"
    LAPSE = "lapse"
    OPEN_DISPUTE = "open_dispute"
    CLEAR_REFUND = "clear_refund"
    FAIL_REFUND = "fail_refund"


@dataclass(frozen=True, slots=True)
class Timer:
    """`kind` happens to the object with the id `subject` at `due_at` (seconds since the epoch)."""

    subject: str
    kind: TimerKind
    due_at: float


def set_timer(book: Book, *, subject: str, kind: TimerKind, due_at: float) -> None:
    """Let `kind` happen to `subject`, in place of what was planned for it."""
    book.connection.execute("INSERT OR REPLACE INTO timers VALUES (?, ?, ?)", (subject, kind, due_at))


def drop_timer(book: Book, subject: str) -> None:
    """Let nothing happen to `subject` any more."""
    book.connection.execute("DELETE FROM timers WHERE subject = ?", (subject,))


def take_timer(book: Book, timer: Timer) -> bool:
    """Remove exactly `timer`; return whether it was still there."""
    values = (timer.subject, timer.kind, timer.due_at)
    sql = "DELETE FROM timers WHERE subject = ? AND kind = ? AND due_at = ?"
    return book.connection.execute(sql, values).rowcount == 1


def due_timers(book: Book, *, now: float, limit: int) -> list[Timer]:
    """Return the timers whose time has come, the earliest first."""
    sql = "SELECT subject, kind, due_at FROM timers WHERE due_at <= ? ORDER BY due_at LIMIT ?"
    return [
        Timer(subject, TimerKind(kind), due_at)
        for subject, kind, due_at in book.connection.execute(sql, (now, limit))
    ]
