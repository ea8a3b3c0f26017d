"""What a person sees of the stack. A terminal that went away is no reason to stop."""

import contextlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from config.stack.logs import bound_log

_STATUS_EVERY_S = {True: 1.0, False: 10.0}


class Terminal:
    """Prints lines, and below them one line that changes; on a pipe, a line every ten seconds."""

    def __init__(self, *, output: TextIO, log: Path) -> None:
        self._output: TextIO | None = output
        self._is_tty = output.isatty()
        self._log = log
        self._started_at = time.monotonic()
        self._status_at = 0.0

    def step(self, part: str) -> None:
        """Say that a part is being started."""
        self.line(f"{time.monotonic() - self._started_at:6.1f} s  {part}")

    def event(self, sentence: str) -> None:
        """Say something that belongs into the supervisor's log as well."""
        bound_log(self._log)
        # A full disk is no reason to stop supervising.
        with contextlib.suppress(OSError), self._log.open("a") as log:
            log.write(f"{datetime.now(UTC).isoformat(timespec='milliseconds')} {sentence}\n")
        self.line(sentence)

    def copy(self, text: str) -> None:
        """Show what another process printed."""
        self._write(text)

    def line(self, text: str) -> None:
        self._write(f"\r\x1b[K{text}\n" if self._is_tty else f"{text}\n")

    def status(self, render: Callable[[], str | None]) -> None:
        """Show what `render` returns, if the last time is long enough ago; None shows nothing."""
        now = time.monotonic()
        if now - self._status_at < _STATUS_EVERY_S[self._is_tty]:
            return
        self._status_at = now
        text = render()
        if text is not None:
            self._write(f"\r\x1b[K{text}" if self._is_tty else f"{text}\n")

    def _write(self, text: str) -> None:
        if self._output is None:
            return
        try:
            self._output.write(text)
            self._output.flush()
        except OSError:
            self._output = None
