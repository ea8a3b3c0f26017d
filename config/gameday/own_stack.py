"""A stack of the game day's own, in a temporary folder, gone afterwards."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from config.gameday.stage import Stage

# What a stack does not need to run. Hidden folders are the developer's own: the venv, other stacks.
_LEFT_OUT = (".*", "__pycache__", "tests", "docs", "benchmarks")


@contextlib.contextmanager
def own_stack(*, project: Path, synchronous: bool) -> Iterator[Stage]:
    """Copy the code, start a stack with proxies there, lend it, stop it, delete it."""
    place = Path(tempfile.mkdtemp(prefix="holdfast-gameday-"))
    # PostgreSQL runs as somebody else when we are root.
    place.chmod(0o711)
    folder = place / "holdfast"
    shutil.copytree(project, folder, ignore=shutil.ignore_patterns(*_LEFT_OUT))
    stage = Stage(folder)
    options = ["--synchronous"] if synchronous else []
    try:
        stage.manage("up", "--detach", "--no-demo", "--with-proxies", *options)
        yield stage
    finally:
        stage.manage("down", may_fail=True)
        shutil.rmtree(place, ignore_errors=True)
