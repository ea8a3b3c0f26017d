"""`manage.py export_lake`: the process that brings events into the lake."""

import logging
import signal
import time
from argparse import ArgumentParser
from random import Random
from threading import Event
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError, InterfaceError, connection

from analytics.lake.exporting import export_once
from analytics.lake.keeping import compact
from analytics.lake.manifest import LakeMovedError
from analytics.lake.storage import storage
from resilience import clock, telemetry
from resilience.limits.backlog import orders_wait
from resilience.retry import RetryPolicy, wait_s
from resilience.routing import watch
from resilience.signs import give_sign

logger = logging.getLogger(__name__)

# A full disk and a bucket that is away are asked again ever more rarely; the log keeps everything meanwhile.
_TROUBLE = RetryPolicy(wait_initial_s=0.5, wait_max_s=30.0)
# While orders wait for workers the machine is theirs; a lake may be a minute behind.
_PATIENCE_S, _LOOK_AGAIN_S = 60.0, 1.0
# A batch is some ten small files, and each query opens them all.
_COMPACTED_EVERY_S = 3600.0


class Command(BaseCommand):
    """Export until SIGTERM or SIGINT; several of these processes may run, and one at a time writes."""

    help = "Bring events into the lake, batch by batch, until stopped."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="export what is there, and end")

    def handle(self, *_args: Any, once: bool, **_options: Any) -> None:
        """Serve until stopped."""
        if once:
            while export_once(storage()).rows:
                pass
            return
        stop = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: stop.set())
        telemetry.begin()
        watch()
        _serve(stop, random=Random())


def _serve(stop: Event, *, random: Random) -> None:
    troubles, pause_s, compacted_at = 0, 0.0, time.monotonic()
    kept_up_at, is_behind = time.monotonic(), False
    while not stop.wait(pause_s):
        began_at = time.monotonic()
        # What failed is tried again when its wait is over: resting would hide it.
        if not troubles and not is_behind and began_at - kept_up_at < _PATIENCE_S and orders_wait():
            give_sign("exporter")
            pause_s = _LOOK_AGAIN_S
            continue
        try:
            exported = export_once(storage())
            if time.monotonic() - compacted_at > _COMPACTED_EVERY_S:
                compact(storage(), now=clock.now())
                compacted_at = time.monotonic()
        except (OSError, LakeMovedError, DatabaseError, InterfaceError):
            troubles += 1
            pause_s = wait_s(_TROUBLE, attempt=troubles, random=random)
            logger.warning("The lake could not be written.", extra={"wait_s": pause_s}, exc_info=True)
            connection.close()
            continue
        troubles = 0
        give_sign("exporter")
        is_behind = exported.rows >= settings.LAKE_BATCH_ROWS
        kept_up_at = began_at
        pause_s = 0.0 if is_behind else settings.LAKE_BATCH_S
