"""A running stack as faults and samplers touch it: from outside."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import httpx
import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.gameday.errors import GameDayError
from config.stack import channel, state
from config.stack.leftovers import processes_working_in
from config.stack.proxy.client import ProxyClient

# Whom a restart would be a cure for; the servers and the proxy are the faults' own.
PLATFORM = ("web", "worker", "dispatcher", "subscriber", "sender", "exporter", "beat")
_CONNECT_S_MAX = 2
_SANDBOX_LIMIT_S = 30
_COMMAND_LIMIT_S = 600


@dataclass(frozen=True)
class Stage:
    """The stack that runs in `folder`. What it says is read afresh each time: process ids change."""

    folder: Path

    @property
    def told(self) -> dict[str, Any]:
        """Return the content of stack.json. Raises GameDayError when no stack runs."""
        running = state.read_state(self.folder)
        if running is None:
            raise GameDayError(f"No stack runs in {self.folder}. Start one: make up ARGS=--with-proxies")
        return running

    @property
    def proxy(self) -> ProxyClient:
        """Return the control of the proxy. Raises GameDayError when the stack has none."""
        told = self.told["proxy"]
        if told is None:
            raise GameDayError("This stack runs without proxies. Start it so: make up ARGS=--with-proxies")
        return ProxyClient(url=told["control"])

    def routes(self, pattern: str) -> list[str]:
        """Return the proxy's routes whose names match, such as `worker-1-to-sandbox-*`; at least one."""
        self.proxy  # noqa: B018 - says so when there is none
        found = [name for name in self.told["proxy"]["routes"] if fnmatch(name, pattern)]
        if not found:
            raise GameDayError(f"No route matches {pattern}.")
        return found

    def tell(self, do: str, part: str | None = None) -> dict[str, Any]:
        """Tell the supervisor to do something; raises StackError when it refuses."""
        return channel.ask(self.told["control"], {"do": do, "part": part})

    def pids(self, kind: str) -> list[int]:
        """Return the processes of a kind that run now."""
        return list(self.told["processes"].get(kind, ()))

    def signal(self, pids: list[int], number: signal.Signals) -> int:
        """Send a signal; return how many processes were there to get it."""
        reached = 0
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
                reached += 1
        return reached

    def database_pids(self, server: str) -> list[int]:
        """Return every process of a PostgreSQL server, its backends too."""
        return processes_working_in((self.folder / state.HOLDFAST_DIRECTORY / "data").resolve() / server)

    @contextlib.contextmanager
    def leader(self) -> Iterator[psycopg.Connection]:
        """Lend a connection to whichever server leads now, without the proxy."""
        with psycopg.connect(
            self.told["environment"]["HOLDFAST_DATABASE_URL"],
            target_session_attrs="read-write",
            autocommit=True,
            connect_timeout=_CONNECT_S_MAX,
        ) as connection:
            yield connection

    @contextlib.contextmanager
    def superuser(self, role: str) -> Iterator[psycopg.Connection]:
        """Lend a superuser's connection to the server that has a role now: primary or replica."""
        with psycopg.connect(
            self.told["superusers"][role], autocommit=True, connect_timeout=_CONNECT_S_MAX
        ) as connection:
            yield connection

    def redis(self) -> redis.Redis:
        """Return a client of Redis, without the proxy."""
        return redis.Redis.from_url(self.told["redis"], socket_timeout=1, retry=Retry(NoBackoff(), 0))

    def at_gateways(self, method: str, path: str, body: object = None) -> list[dict[str, Any]]:
        """Ask each sandbox's own control; return the answers."""
        answers = []
        for sandbox in self.told["sandboxes"]:
            url = f"{sandbox['url']}{path}"
            answer = httpx.request(method, url, json=body, timeout=_SANDBOX_LIMIT_S)
            answers.append(dict(answer.raise_for_status().json()))
        return answers

    def gateway_book(
        self, statement: str, parameters: tuple[object, ...] = (), *, only: str | None = None
    ) -> list[tuple[Any, ...]]:
        """Ask each sandbox's own book (or only one's), the witness that shares nothing with the platform."""
        rows: list[tuple[Any, ...]] = []
        for sandbox in self.told["sandboxes"]:
            if only not in (None, sandbox["name"]):
                continue
            book = sqlite3.connect(f"file:{sandbox['book']}?mode=ro", uri=True, timeout=10)
            with contextlib.closing(book):
                rows += book.execute(statement, parameters).fetchall()
        return rows

    def manage(self, *command: str, may_fail: bool = False, limit_s: int = _COMMAND_LIMIT_S) -> str:
        """Run a management command in the stack's folder, as an operator does; return what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=self.folder,
            env=_environment(),
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
        )
        if done.returncode != 0 and not may_fail:
            raise GameDayError(f"manage.py {command[0]} failed: {done.stdout}{done.stderr}")
        return done.stdout

    def audit(self, *options: str) -> dict[str, Any]:
        """Return what `manage.py audit --json` says."""
        printed = self.manage("audit", "--json", *options, may_fail=True)
        try:
            return dict(json.loads(printed.strip().splitlines()[-1]))
        except (ValueError, IndexError):
            return {"verdict": "unknown", "error": printed[-500:]}


def _environment() -> dict[str, str]:
    """Return our environment without addresses: the command finds those of its folder's stack."""
    return {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
