"""Between the servers and the processes: the schema, and whom to let in."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from config.stack import logs
from config.stack.errors import StackError

# The role's limits are for requests; a migration may rewrite a table, but must not queue behind a lock
# for long while everybody else queues behind it.
_MIGRATION_OPTIONS = "-c statement_timeout=0 -c lock_timeout=10s"


@dataclass(frozen=True)
class Credentials:
    """The demo login and the demo client's key."""

    api_key: str
    username: str
    password: str


def migrate(*, folder: Path, log: Path, environment: Mapping[str, str]) -> None:
    _manage(
        "migrate", "--no-input",
        folder=folder, log=log, environment={**environment, "PGOPTIONS": _MIGRATION_OPTIONS},
    )  # fmt: skip


def bootstrap(*, folder: Path, log: Path, environment: Mapping[str, str]) -> Credentials:
    """Create operator, API key and demo catalogue where they are missing, and return how to get in."""
    answer = json.loads(_manage("bootstrap", "--json", folder=folder, log=log, environment=environment))
    return Credentials(
        api_key=answer["api_key"],
        username=answer["admin"]["username"],
        password=answer["admin"]["password"],
    )


def _manage(*command: str, folder: Path, log: Path, environment: Mapping[str, str]) -> str:
    """Run a management command to its end and return what it printed."""
    with log.open("ab") as errors:
        answer = subprocess.run(
            (sys.executable, "manage.py", *command),
            cwd=folder,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            check=False,
        )
    if answer.returncode != 0:
        end = logs.tail(log, lines=15)
        raise StackError(f"`manage.py {command[0]}` failed. The end of {log}:\n{end}")
    return answer.stdout
