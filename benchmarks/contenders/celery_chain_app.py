"""The Celery app of the chain: `celery -A benchmarks.contenders.celery_chain_app worker`.

Celery's own defaults, which are its fastest: messages are acknowledged before the work, so that a
worker that dies loses them, and four are fetched ahead for each thread.
"""

import os

import django
from celery import Celery, chain
from celery.canvas import Signature

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django.conf import settings  # noqa: E402 - Django first

from benchmarks.contenders import steps  # noqa: E402

app = Celery("chain", broker=settings.CELERY_BROKER_URL)
app.conf.task_default_queue = "chain"
app.conf.task_ignore_result = True
# Or Celery's Django fixup opens a database connection for each task, at four times the cost of the rest.
app.conf.update({"CELERY_DB_REUSE_MAX": 10_000})

_TASKS = [
    app.task(step, name=f"chain.{step.__name__}")
    for step in (steps.reserve, steps.authorize, steps.capture, steps.confirm, steps.finish)
]


def settle(order_id: str) -> Signature:
    """Return the chain that settles an order: each task sends the next."""
    return chain(*(task.si(order_id) for task in _TASKS))
