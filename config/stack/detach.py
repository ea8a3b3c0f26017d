"""Run the stack in the background: start `manage.py up` apart from this terminal, wait until it is ready."""

import subprocess
import sys
import time
from pathlib import Path

from config.stack import lock, state
from config.stack.errors import StackError
from config.stack.lock import AlreadyHeldError
from config.stack.logs import bound_log
from config.stack.terminal import Terminal
from config.stack.up import Options

# Above the sum of what a slow machine needs; a part that is not ready ends the start long before.
_START_LIMIT_S = 300.0
_PAUSE_S = 0.1


def start_detached(*, folder: Path, options: Options, terminal: Terminal) -> None:
    """Return when the stack is ready, having shown its progress.

    Raises AlreadyHeldError when one runs in this folder, StackError when it ended instead.
    """
    if lock.is_held(folder / state.HOLDFAST_DIRECTORY):
        raise AlreadyHeldError
    log = folder / state.HOLDFAST_DIRECTORY / "logs" / "up.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    bound_log(log)
    with log.open("ab") as output, log.open() as progress:
        progress.seek(0, 2)
        process = subprocess.Popen(
            (sys.executable, "manage.py", "up", *_arguments(options)),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        deadline = time.monotonic() + _START_LIMIT_S
        while not _is_ready(folder, pid=process.pid):
            terminal.copy(progress.read())
            if process.poll() is not None:
                terminal.copy(progress.read())
                raise StackError(f"The stack did not start; {log} says why.")
            if time.monotonic() > deadline:
                process.terminate()
                raise StackError(f"The stack was not ready after {_START_LIMIT_S:.0f} s; see {log}.")
            time.sleep(_PAUSE_S)
        terminal.copy(progress.read())


def _is_ready(folder: Path, *, pid: int) -> bool:
    return lock.holder(folder / state.HOLDFAST_DIRECTORY) == pid and state.read_state(folder) is not None


def _arguments(options: Options) -> list[str]:
    arguments = ["--demo" if options.demo else "--no-demo"]
    arguments += ["--sandboxes", str(options.sandboxes), "--workers", str(options.workers)]
    if options.web_port is not None:
        arguments += ["--port", str(options.web_port)]
    arguments += ["--with-proxies"] if options.with_proxies else []
    arguments += ["--synchronous"] if options.synchronous else []
    return arguments
