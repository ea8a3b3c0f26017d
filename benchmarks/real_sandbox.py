"""The same stage with the real sandbox for a gateway: durable, SQLite, everything that Stripe refuses."""

import secrets
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from benchmarks.stage import FOLDER, GATEWAY_NAME, Book, Stage, gateways_setting
from config.stack import sandbox
from config.stack.ports import pick_port

_COUNT = """
SELECT (SELECT count(*) FROM intents WHERE status IN ('requires_capture', 'succeeded')),
       (SELECT count(*) FROM intents WHERE status = 'succeeded' AND amount_received = amount)
"""


@dataclass
class SandboxGateway:
    """The sandbox's own book, read from outside; it only grows, so `begin` remembers where it stood."""

    path: Path
    _began: Book = field(default=Book(0, 0))

    def begin(self, *, latency_ms: int) -> None:
        if latency_ms:
            raise ValueError("the sandbox's latency is an option of its start")
        self._began = self._total()

    def book(self) -> Book:
        total = self._total()
        return Book(total.authorized - self._began.authorized, total.captured - self._began.captured)

    def _total(self) -> Book:
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as connection:
            return Book(*connection.execute(_COUNT).fetchone())


def with_real_sandbox(stage: Stage) -> Stage:
    """Start the sandbox beside the servers of `stage`, and return the stage that pays with it."""
    real = sandbox.Sandbox(
        name=GATEWAY_NAME,
        port=pick_port(random=Random()),
        secret_key=f"sk_test_{secrets.token_hex(12)}",
        book=stage.directory / "sandbox.sqlite3",
    )
    stage.supervisor.start(sandbox.part_of(real, folder=FOLDER))
    setting = gateways_setting(GATEWAY_NAME, real.url, real.secret_key)
    return replace(
        stage,
        gateway=SandboxGateway(real.book),
        environment={**stage.environment, "HOLDFAST_GATEWAYS": setting},
    )
