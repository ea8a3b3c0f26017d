"""The Celery entrance of the engine."""

import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from uuid import UUID

from celery import shared_task
from django.conf import settings
from django.db import close_old_connections, connection

from resilience.clock import now
from resilience.crashpoints import crashpoint
from resilience.saga.runner import Runner

# Calls in flight in one process. A call that hangs holds its thread for its time limit (10 s), so
# this also bounds how many hanging calls a process can bear before the others queue behind them.
# Half as many again as one dependency may take and wait for (payments/gateways/permits.py): a third is
# left for the others when one hangs. A thread that is never needed is never made.
CALLS_MAX = 192


@cache
def _executor(pid: int) -> ThreadPoolExecutor:
    # Keyed by process, because threads do not survive a fork.
    return ThreadPoolExecutor(CALLS_MAX, thread_name_prefix=f"call-{pid}")


def process_runner() -> Runner:
    """Return a runner for the calling thread of this process."""
    return Runner(
        owner=f"{socket.gethostname()}:{os.getpid()}:{threading.get_ident()}"[-64:],
        lease_s=settings.SAGA_LEASE_S,
        executor=_executor(os.getpid()),
        clock=now,
    )


@shared_task(name="resilience.saga.run")
def run_sagas(ids: list[str]) -> None:
    """Carry the sagas with these ids as far as they go now; ids that are not due are harmless."""
    close_old_connections()
    try:
        process_runner().run([UUID(saga_id) for saga_id in ids])
    except Exception:
        # A connection that broke must not be met by this thread's next message.
        connection.close()
        raise
    crashpoint("saga.before_ack")
