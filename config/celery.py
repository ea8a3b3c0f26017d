"""The Celery app: `celery -A config worker`, `celery -A config beat`."""

import os

from celery import Celery, Task
from celery.signals import beat_init, task_postrun, task_prerun, worker_init, worker_process_init
from structlog.contextvars import bind_contextvars, clear_contextvars

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("holdfast")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["resilience", "payments", "orders", "analytics", "config"])


@beat_init.connect
@worker_init.connect
@worker_process_init.connect
def begin_telemetry(**_signal: object) -> None:
    """Let a worker and beat hand on what they count; a forked child of a worker has a pulse of its own."""
    # Only now: `celery` reads this module before Django is set up.
    from resilience import telemetry

    telemetry.begin()


@task_prerun.connect
def drop_broken_connection(task: Task, **_signal: object) -> None:
    """Check a kept connection before each task, as Django does before each request.

    Celery would open a new one for each task, at the cost of ten orders (CELERY_DB_REUSE_MAX).
    """
    # Only now: `celery` reads this module before Django is set up.
    from django.db import close_old_connections

    # A task that its caller runs itself may be inside the caller's transaction.
    if not task.request.is_eager:
        close_old_connections()


@task_prerun.connect
def show_work(task: Task, **_signal: object) -> None:
    """Tell that a worker takes messages, and for a scheduled task that somebody rings for it."""
    from resilience.signs import give_sign

    give_sign("worker")
    if any(entry["task"] == task.name for entry in app.conf.beat_schedule.values()):
        give_sign("beat")


@task_prerun.connect
def bind_task(task: Task, **_signal: object) -> None:
    """Let log lines of a task carry its name and id."""
    if not task.request.is_eager:
        bind_contextvars(task=task.name, task_id=task.request.id)


@task_postrun.connect
def unbind_task(task: Task, **_signal: object) -> None:
    """Let what a thread does next not carry the ids of what it did before."""
    if not task.request.is_eager:
        clear_contextvars()
