"""The Celery app: `celery -A config worker`, `celery -A config beat`."""

import os
import threading
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

from celery import Celery, Task
from celery.signals import (
    beat_init,
    before_task_publish,
    task_postrun,
    task_prerun,
    worker_init,
    worker_process_init,
)
from structlog.contextvars import bind_contextvars, clear_contextvars

from config import broker
from resilience.deadlines import begin, end
from resilience.deadlines.messages import HEADER, left_of, stamp

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

# Where a task's request keeps what `end_deadline` needs.
_BEGUN = "holdfast_deadline_begun"

app = Celery("holdfast")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["resilience", "payments", "orders", "analytics", "config"])

broker.install()

# It reads the primary only, and is sent for each batch of orders: a query more would be for nothing.
_READS_PRIMARY_ONLY = frozenset({"resilience.saga.run"})
_task_scope = threading.local()


@before_task_publish.connect
def send_token(sender: str, headers: dict[str, Any], **_signal: object) -> None:
    """Let the task know how far its sender had written (resilience/routing/carriage.py)."""
    from resilience.routing import carriage

    if sender not in _READS_PRIMARY_ONLY:
        carriage.send_token(headers)


@beat_init.connect
@worker_init.connect
@worker_process_init.connect
def begin_telemetry(**_signal: object) -> None:
    """Let a worker and beat hand on what they count; a forked child of a worker has a pulse of its own."""
    # Only now: `celery` reads this module before Django is set up.
    from resilience import telemetry

    telemetry.begin()


@task_prerun.connect
def prepare(task: Task, **_signal: object) -> None:
    """Check a kept connection before each task, as Django does before each request.

    Celery would open a new one for each task, at the cost of ten orders (CELERY_DB_REUSE_MAX).
    """
    # Only now: `celery` reads this module before Django is set up.
    from django.db import close_old_connections

    from resilience import routing
    from resilience.routing import carriage

    # A task that its caller runs itself may be inside the caller's transaction, and knows what it knows.
    if not task.request.is_eager:
        close_old_connections()
        routing.watch()
        forget(task)
        _task_scope.entered = ExitStack()
        _task_scope.entered.enter_context(carriage.with_token_of(vars(task.request)))


@task_postrun.connect
def forget(task: Task, **_signal: object) -> None:
    """Let the thread's next task know nothing of this one's sender."""
    if not task.request.is_eager and (entered := getattr(_task_scope, "entered", None)) is not None:
        entered.close()
        _task_scope.entered = None


@task_prerun.connect
def show_work(task: Task, **_signal: object) -> None:
    """Tell that a worker takes messages, and for a scheduled task that somebody rings for it."""
    from resilience.signs import give_sign

    give_sign("worker")
    if any(entry["task"] == task.name for entry in app.conf.beat_schedule.values()):
        give_sign("beat")


@before_task_publish.connect
def send_deadline_along(headers: dict[str, Any], **_signal: object) -> None:
    """Let a task inherit the deadline of whoever sends it, and be dropped unread once that is over."""
    stamp(headers, now=time.time())
    moment = headers.get(HEADER)
    if moment is not None:
        until = datetime.fromtimestamp(moment, UTC)
        sent = headers.get("expires")
        headers["expires"] = (
            min(until, datetime.fromisoformat(sent)).isoformat() if sent else until.isoformat()
        )


@task_prerun.connect
def begin_deadline(task: Task, **_signal: object) -> None:
    """Give a task what is left of the deadline that came with it."""
    left_s = left_of(task.request.headers or {}, now=time.time())
    if left_s is not None:
        vars(task.request)[_BEGUN] = begin(left_s)


@task_postrun.connect
def end_deadline(task: Task, **_signal: object) -> None:
    """Take the deadline away again: the thread goes on with other tasks."""
    token = vars(task.request).pop(_BEGUN, None)
    if token is not None:
        end(token)


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
