"""The Celery app: `celery -A config worker`, `celery -A config beat`."""

import os
import time
from datetime import UTC, datetime
from typing import Any

from celery import Celery, Task
from celery.signals import before_task_publish, task_postrun, task_prerun

from resilience.deadlines import begin, end
from resilience.deadlines.messages import HEADER, left_of, stamp

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

# Where a task's request keeps what `end_deadline` needs.
_BEGUN = "holdfast_deadline_begun"

app = Celery("holdfast")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["resilience", "payments", "orders", "analytics", "config"])


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
