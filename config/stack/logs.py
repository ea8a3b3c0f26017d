"""One log file per process, of bounded size."""

import contextlib
import os
import shutil
from pathlib import Path

# Two files of this size per process: the current one and the one before.
LOG_BYTES_MAX = 20 * 1024 * 1024
_TAIL_BYTES = 4096


def bound_log(log: Path) -> None:
    """Move a log that is too long to `<name>.1`, leaving the file in place for whoever writes to it.

    Lines written in between are lost, which is the price of not asking the writer to reopen.
    """
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > LOG_BYTES_MAX:
            shutil.copyfile(log, log.with_name(f"{log.name}.1"))
            os.truncate(log, 0)


def tail(log: Path, *, lines: int) -> str:
    """Return the last lines of a log, for an error message."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
