"""The processes of Holdfast itself, as parts of the stack."""

import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from config.stack.part import Part
from config.stack.ports import LOOPBACK
from config.stack.probes import celery_answers, http_answers

# Threads of one web worker (config/gunicorn.py, and two for money: config/gunicorn_worker.py) never wait
# for a connection.
_WEB_POOL_SIZE_MAX = 10


def web_part(*, folder: Path, port: int, environment: Mapping[str, str]) -> Part:
    return Part(
        name="web",
        command=_python(
            "-m", "gunicorn", "config.wsgi",
            "--config", "python:config.gunicorn",
            "--bind", f"{LOOPBACK}:{port}",
        ),
        directory=folder,
        environment={**environment, "HOLDFAST_DB_POOL_SIZE_MAX": str(_WEB_POOL_SIZE_MAX)},
        is_ready=http_answers(port, "/readyz"),
        ready_limit_s=60.0,
        # The master stops its workers, which SIGKILL would leave behind.
        orphan_signal=signal.SIGTERM,
    )  # fmt: skip


def worker_part(*, folder: Path, copy: int, environment: Mapping[str, str]) -> Part:
    node = f"worker-{copy}@holdfast"
    return Part(
        name="worker",
        copy=copy,
        command=_python(
            "-m", "celery", "-A", "config", "worker",
            "--pool", "threads", "--concurrency", "4", "--queues", "sagas,celery", "--hostname", node,
            # Workers need nothing of one another, and to leave the gossip without Redis ends in an error.
            "--without-gossip", "--without-mingle",
        ),
        directory=folder,
        environment=environment,
        is_ready=celery_answers(f"{environment['HOLDFAST_REDIS_URL']}/0", node),
        ready_limit_s=60.0,
    )  # fmt: skip


def daemon_parts(*, folder: Path, environment: Mapping[str, str]) -> list[Part]:
    """Return dispatcher, subscriber, sender, exporter and beat: one each; more are safe, but of beat."""
    common = Part(name="", command=(), directory=folder, environment=environment)
    schedule = folder / ".holdfast" / "beat-schedule"
    return [
        replace(common, name="dispatcher", command=_manage("dispatch")),
        replace(common, name="subscriber", command=_manage("subscribe")),
        replace(common, name="sender", command=_manage("send_webhooks")),
        replace(common, name="exporter", command=_manage("export_lake")),
        replace(
            common,
            name="beat",
            # Without a pid file: a killed beat leaves it, and the next one then refuses to start.
            command=_python(
                "-m", "celery", "-A", "config", "beat", "--schedule", str(schedule), "--pidfile", ""
            ),
        ),
    ]


def demo_part(*, folder: Path, url: str, api_key: str, environment: Mapping[str, str]) -> Part:
    return Part(
        name="demo",
        command=_manage("demo_traffic", "--url", url, "--api-key", api_key),
        directory=folder,
        environment=environment,
    )


def _manage(*command: str) -> tuple[str, ...]:
    return _python("manage.py", *command)


def _python(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, *arguments)
