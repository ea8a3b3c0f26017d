"""Where the embedded stack of this folder says what it is: `.holdfast/stack.json`."""

import json
import os
from pathlib import Path

STATE_FILE = Path(".holdfast") / "stack.json"


def lend_environment(folder: Path) -> None:
    """Set the `HOLDFAST_*` variables of a stack that runs in `folder`, where they are not set yet.

    Does nothing when no stack runs there; never overrides a variable that is set.
    """
    try:
        running = json.loads((folder / STATE_FILE).read_text())
    except (FileNotFoundError, PermissionError, json.JSONDecodeError):
        return
    for name, value in running.get("environment", {}).items():
        os.environ.setdefault(name, value)
