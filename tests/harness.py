"""A pytest plugin: real servers of this session's own, started before Django reads its settings.

Loaded by `-p tests.harness` in pyproject.toml, because a conftest is read too late: pytest-django
loads the settings first. Subprocesses of a test find the same servers through the environment.
"""

import os
import secrets
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path
from random import Random

import pytest

from config.stack import roles, sandbox
from config.stack.ports import pick_port
from config.stack.postgres import Tuning
from config.stack.servers import Addresses, ServerPorts, ServerSecrets, start_servers
from config.stack.supervisor import Supervisor

FOLDER = Path(__file__).resolve().parent.parent
# Killed processes lose nothing without fsync, only a killed machine does; and this cluster is thrown away.
_TUNING = Tuning(shared_buffers="64MB", fsync=False)


class Harness:
    """What runs for this session; `config.stash[HARNESS]`."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="holdfast-tests-"))
        # PostgreSQL runs as somebody else when we are root.
        self.directory.chmod(0o711)
        self.supervisor = Supervisor(
            logs=self.directory / "logs",
            random=Random(),
            checkpoint=_go_on,
            progress=_say_nothing,
            report=print,
        )
        self.addresses: Addresses
        self.sandbox: sandbox.Sandbox | None = None

    def start(self) -> None:
        random = Random()
        self.addresses = start_servers(
            supervisor=self.supervisor,
            directory=self.directory / "data",
            ports=ServerPorts(*(pick_port(random=random) for _server in range(3))),
            server_secrets=ServerSecrets(),
            tuning=_TUNING,
        )
        if (FOLDER / "payments" / "sandbox" / "__main__.py").exists():
            self.sandbox = sandbox.Sandbox(
                name="sandbox-1",
                port=pick_port(random=random),
                secret_key=f"sk_test_{secrets.token_hex(12)}",
                book=self.directory / "sandbox-1.sqlite3",
                webhook_secret=f"whsec_{secrets.token_hex(24)}",
            )
            self.supervisor.start(sandbox.part_of(self.sandbox, folder=FOLDER))

    def environment(self) -> dict[str, str]:
        return {
            "HOLDFAST_DATABASE_URL": self.addresses.primary,
            "HOLDFAST_REPLICA_URL": self.addresses.replica,
            "HOLDFAST_DASHBOARD_URL": roles.as_role(self.addresses.replica, roles.DASHBOARD),
            "HOLDFAST_REPORTS_URL": roles.as_role(self.addresses.replica, roles.REPORTS),
            "HOLDFAST_REDIS_URL": self.addresses.redis,
            "HOLDFAST_GATEWAYS": sandbox.gateways_setting([self.sandbox] if self.sandbox else []),
            "HOLDFAST_SECRET_KEY": secrets.token_hex(32),
            "HOLDFAST_DB_POOL_SIZE_MAX": "0",
            "HOLDFAST_SAGA_LEASE_S": "2",
        }

    def stop(self) -> None:
        self.supervisor.stop([])
        shutil.rmtree(self.directory, ignore_errors=True)


def _go_on() -> None:
    """Ctrl-C raises KeyboardInterrupt here, as pytest expects."""


def _say_nothing(_part: str) -> None:
    """Starting takes two seconds: nobody asks for progress."""


HARNESS = pytest.StashKey[Harness]()


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    # A wrapper runs before pytest-django's own hook, which loads the settings.
    options = early_config.known_args_namespace
    # Under xdist each worker has servers of its own, and the controller runs no test.
    is_controller = bool(getattr(options, "numprocesses", None)) and "PYTEST_XDIST_WORKER" not in os.environ
    if not (options.collectonly or options.help or options.version or is_controller):
        harness = Harness()
        early_config.stash[HARNESS] = harness
        early_config.add_cleanup(harness.stop)
        harness.start()
        os.environ.update(harness.environment())
    return (yield)
