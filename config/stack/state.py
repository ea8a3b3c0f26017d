"""Where the embedded stack of this folder says what it is: `.holdfast/stack.json`."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from config.stack import lock

HOLDFAST_DIRECTORY = Path(".holdfast")
STATE_FILE = HOLDFAST_DIRECTORY / "stack.json"
_PRIVATE = 0o600


def lend_environment(folder: Path) -> None:
    """Set the `HOLDFAST_*` variables of a stack that runs in `folder`, where they are not set yet.

    Does nothing when no stack runs there, also when one was killed and left its file behind; never
    overrides a variable that is set.
    """
    running = read_state(folder)
    if running is None:
        return
    for name, value in running.get("environment", {}).items():
        os.environ.setdefault(name, value)


def read_state(folder: Path) -> dict[str, Any] | None:
    """Return what the running stack of `folder` says; None when none runs, or it is somebody else's."""
    try:
        state = json.loads((folder / STATE_FILE).read_text())
    except (FileNotFoundError, PermissionError, json.JSONDecodeError):
        return None
    return state if lock.is_held(folder / HOLDFAST_DIRECTORY) else None


def write_state(folder: Path, state: Mapping[str, object]) -> None:
    """Replace the file at once, so that a reader never sees half of it."""
    write_private_json(folder / STATE_FILE, state)


def remove_state(folder: Path) -> None:
    (folder / STATE_FILE).unlink(missing_ok=True)


def write_private_json(path: Path, content: Mapping[str, object]) -> None:
    """Write a file that only its owner can read, atomically: it holds secrets."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file, indent=2)
    unfinished.replace(path)
