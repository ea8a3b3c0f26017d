"""The sandbox gateway as a part of the stack."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from config.stack.part import Part
from config.stack.ports import LOOPBACK
from config.stack.probes import http_answers
from payments.gateways.notices import TYPES


@dataclass(frozen=True)
class Sandbox:
    """One gateway account: a process with a book of its own.

    It delivers its events to `webhook_url`, signed with `webhook_secret`; without one it only lists them.
    """

    name: str
    port: int
    secret_key: str
    book: Path
    webhook_secret: str = ""
    webhook_url: str = ""

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"


def part_of(sandbox: Sandbox, *, folder: Path, copy: int | None = None) -> Part:
    """Return the part that runs `sandbox` with the code in `folder`."""
    return Part(
        name="sandbox",
        copy=copy,
        command=(
            sys.executable, "-m", "payments.sandbox",
            "--host", LOOPBACK,
            "--port", str(sandbox.port),
            "--book", str(sandbox.book),
            "--secret-key", sandbox.secret_key,
            *_telling(sandbox),
        ),
        directory=folder,
        environment={"PYTHONUNBUFFERED": "1"},
        is_ready=http_answers(sandbox.port, "/_health"),
    )  # fmt: skip


def gateways_setting(sandboxes: Sequence[Sandbox]) -> str:
    """Return HOLDFAST_GATEWAYS for these sandboxes."""
    return json.dumps(
        [
            {
                "name": one.name,
                "url": one.url,
                "secret_key": one.secret_key,
                "webhook_secrets": [one.webhook_secret] if one.webhook_secret else [],
            }
            for one in sandboxes
        ]
    )


def _telling(sandbox: Sandbox) -> tuple[str, ...]:
    if not sandbox.webhook_url:
        return ()
    return (
        "--webhook-url", sandbox.webhook_url,
        "--webhook-secret", sandbox.webhook_secret,
        # As an endpoint at Stripe is set up: whatever else is told would only be read and ignored.
        "--webhook-events", ",".join(TYPES),
    )  # fmt: skip
