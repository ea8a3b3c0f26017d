"""Being asked to stop, as a fact to look at between two steps, not an exception in the middle of one."""

import signal
from types import FrameType
from typing import Self


class StopRequestedError(Exception):
    """Somebody pressed Ctrl-C, or sent SIGTERM."""


class Interruption:
    """While it is entered, SIGINT and SIGTERM are noted, and a closed terminal does not end us."""

    def __init__(self) -> None:
        self.requested = False

    def __enter__(self) -> Self:
        signal.signal(signal.SIGINT, self._note)
        signal.signal(signal.SIGTERM, self._note)
        # A handler, not SIG_IGN, which our children would inherit.
        signal.signal(signal.SIGHUP, lambda _number, _frame: None)
        return self

    def __exit__(self, *_exception: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)

    def check(self) -> None:
        """Raise StopRequestedError if a stop was asked for."""
        if self.requested:
            raise StopRequestedError

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.requested = True
