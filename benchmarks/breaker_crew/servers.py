"""Servers of the benchmark's own, and Django on them."""

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

from config.stack.ports import pick_port
from config.stack.postgres import Tuning
from config.stack.servers import ServerPorts, ServerSecrets, start_servers
from config.stack.supervisor import Supervisor


@contextlib.contextmanager
def own_servers() -> Iterator[None]:
    """Run servers of our own; the workers find them through the environment."""
    directory = Path(tempfile.mkdtemp(prefix="holdfast-breaker-"))
    directory.chmod(0o711)
    random = Random()
    supervisor = Supervisor(
        logs=directory / "logs", random=random, checkpoint=_pass, progress=_ignore, report=print
    )
    try:
        addresses = start_servers(
            supervisor=supervisor,
            directory=directory / "data",
            ports=ServerPorts(*(pick_port(random=random) for _server in range(3))),
            server_secrets=ServerSecrets(),
            tuning=Tuning(shared_buffers="64MB", fsync=False),
        )
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "HOLDFAST_SECRET_KEY": secrets.token_hex(32),
            "HOLDFAST_REDIS_URL": addresses.redis,
            "HOLDFAST_DATABASE_URL": addresses.primary,
            "HOLDFAST_REPLICA_URL": addresses.replica,
        }
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        yield
    finally:
        supervisor.stop([])
        shutil.rmtree(directory, ignore_errors=True)


def _pass() -> None:
    pass


def _ignore(_part: str) -> None:
    pass
