"""A stack of its own, in a folder of its own, started and stopped as a user does it."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.harness import FOLDER

START_WITHIN_S = 180


@dataclass(frozen=True)
class LivingStack:
    """What `.holdfast/stack.json` says, read afresh each time: process ids change."""

    folder: Path

    @property
    def told(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads((self.folder / ".holdfast" / "stack.json").read_text())
        return state

    def pids(self, kind: str) -> list[int]:
        """Return the processes of one kind that run now."""
        return list(self.told["processes"].get(kind, ()))

    def client(self) -> httpx.Client:
        """Return a client of the public API."""
        told = self.told
        return httpx.Client(
            base_url=told["web"]["url"],
            headers={"Authorization": f"Bearer {told['api_key']}"},
            timeout=10,
        )

    def gateway_orders(self) -> dict[str, Any]:
        """Return what the gateways' own books say, by order id; an order that is in several is summed."""
        orders: dict[str, Any] = {}
        for sandbox in self.told["sandboxes"]:
            answer = httpx.get(
                f"{sandbox['url']}/_book/summary",
                headers={"Authorization": f"Bearer {sandbox['secret_key']}"},
                timeout=30,
            )
            for order_id, seen in answer.raise_for_status().json()["orders"].items():
                known = orders.setdefault(order_id, dict.fromkeys(seen, 0) | {"currency": seen["currency"]})
                known |= {name: known[name] + count for name, count in seen.items() if name != "currency"}
        return orders

    def faults(self, *faults: dict[str, Any]) -> None:
        """Set faults at every gateway, beside those that are set."""
        for sandbox in self.told["sandboxes"]:
            for fault in faults:
                httpx.post(f"{sandbox['url']}/_faults", json=fault, timeout=30).raise_for_status()

    def clear_faults(self) -> None:
        """End every fault of every gateway."""
        for sandbox in self.told["sandboxes"]:
            httpx.delete(f"{sandbox['url']}/_faults", timeout=30).raise_for_status()

    def manage(self, *command: str, within_s: float = START_WITHIN_S, may_fail: bool = False) -> str:
        """Run a management command in the stack's folder and return what it printed."""
        done = self._run(command, within_s)
        assert may_fail or done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def succeeds(self, *command: str, within_s: float = START_WITHIN_S) -> bool:
        """Run a management command in the stack's folder and tell whether it ended well."""
        return self._run(command, within_s).returncode == 0

    def _run(self, command: Sequence[str], within_s: float) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=self.folder,
            env=_clean_environment(),
            capture_output=True,
            text=True,
            timeout=within_s,
            check=False,
        )


@contextmanager
def living_stack(*options: str) -> Iterator[LivingStack]:
    """Copy the project, run `manage.py up --detach` there, and `down` at the end.

    Not into pytest's directory, which every other run of this user closes to whom PostgreSQL and Redis
    run as: a Redis that is killed would stay away.
    """
    with tempfile.TemporaryDirectory(prefix="holdfast-chaos-", ignore_cleanup_errors=True) as place:
        Path(place).chmod(0o711)
        folder = Path(place) / "holdfast"
        folder.mkdir(0o711)
        _copy_project(folder)
        stack = LivingStack(folder)
        try:
            stack.manage("up", "--detach", "--no-demo", *options)
            yield stack
        finally:
            stack.manage("down")


def _copy_project(folder: Path) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=FOLDER, capture_output=True, text=True, check=True
    ).stdout
    for name in filter(None, tracked.split("\0")):
        if (FOLDER / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(FOLDER / name, folder / name)


def _clean_environment() -> dict[str, str]:
    """Return our environment without the addresses of the tests' own servers."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HOLDFAST_", "DJANGO_SETTINGS"))
    }
