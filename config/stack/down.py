"""Stop the stack of a folder, wherever it was started."""

import os
import signal
import time
from pathlib import Path

from config.stack import lock, state
from config.stack.errors import StackError

# The sum of what the parts may take to stop is longer, but they do not all take it.
_STOP_LIMIT_S = 60.0
_PAUSE_S = 0.1


def stop_stack(*, folder: Path) -> bool:
    """Return when no stack runs in `folder` any more; False says that none did."""
    directory = folder / state.HOLDFAST_DIRECTORY
    pid = lock.holder(directory)
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_LIMIT_S
    while lock.is_held(directory):
        if time.monotonic() > deadline:
            raise StackError(f"The stack (process {pid}) did not stop within {_STOP_LIMIT_S:.0f} s.")
        time.sleep(_PAUSE_S)
    return True
