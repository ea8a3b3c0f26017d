"""The sender: claims due deliveries, posts them in threads, and writes down what came of each.

Killed at any line it loses nothing: a delivery whose sender is gone is claimed again when its lease ends,
and goes out with the same id and the same bytes. So a receiver may get one twice, and never none.
"""

import logging
import ssl
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from random import Random
from threading import Event as Signal

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from resilience import clock, pulse
from resilience.crashpoints import crashpoint
from resilience.retry import RetryPolicy, wait_s
from resilience.routing import watch
from resilience.signs import give_sign
from resilience.telemetry import counter, histogram
from resilience.webhooks.flags import WEBHOOKS_OUT
from resilience.webhooks.posting import post
from resilience.webhooks.queue import Claim, claim, settle
from resilience.webhooks.signing import signed_headers
from resilience.webhooks.targets import (
    Resolver,
    TargetRefusedError,
    addresses_of,
    parse_target,
    system_resolver,
)
from resilience.webhooks.verdicts import Reply

logger = logging.getLogger(__name__)

# Attempts at the same time: eight endpoints that hang leave the others their threads.
_THREADS = 32
_POLL_S = 0.2
_TROUBLE = RetryPolicy(wait_initial_s=0.1, wait_max_s=2.0)


class Sender:
    """Sends what is due. The database is spoken to by the thread that calls, the receivers by others."""

    def __init__(self, *, random: Random, resolve: Resolver = system_resolver) -> None:
        self._random = random
        self._resolve = resolve
        self._tls = ssl.create_default_context(cafile=settings.WEBHOOKS_CA_FILE or None)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="webhook")
        self._under_way: dict[Future[Reply], Claim] = {}

    def serve(self, stop: Signal) -> None:
        """Send until `stop` is set; what is under way then is heard out, or sent again by another."""
        pulse.ensure_running()
        watch()
        troubles = 0
        while not stop.is_set():
            try:
                is_idle = not self.run_once()
            except (DatabaseError, InterfaceError):
                troubles += 1
                pause_s = wait_s(_TROUBLE, attempt=troubles, random=self._random)
                logger.warning("Webhooks could not be sent.", extra={"wait_s": pause_s}, exc_info=True)
                connection.close()
                stop.wait(pause_s)
                continue
            troubles = 0
            give_sign("sender")
            if is_idle:
                stop.wait(_POLL_S)
        self.close()

    def run_once(self) -> bool:
        """Claim what is due, and settle what was answered; tell whether there was any of either."""
        room = _THREADS - len(self._under_way)
        claims = claim(limit=room, now=clock.now()) if room and WEBHOOKS_OUT.is_on() else []
        for claimed in claims:
            self._under_way[self._threads.submit(self._attempt, claimed)] = claimed
        done, _ = wait(self._under_way, timeout=_POLL_S, return_when=FIRST_COMPLETED)
        for future in done:
            self._settle(self._under_way[future], future.result())
            del self._under_way[future]
        return bool(claims or done)

    def close(self) -> None:
        """Hear out what is under way and write it down."""
        wait(self._under_way)
        for future, claimed in self._under_way.items():
            self._settle(claimed, future.result())
        self._under_way.clear()
        self._threads.shutdown()

    def _attempt(self, claimed: Claim) -> Reply:
        try:
            target = parse_target(
                claimed.url, trusted=settings.WEBHOOKS_TRUSTED_HOSTS, own=settings.ALLOWED_HOSTS
            )
            addresses = addresses_of(target, resolve=self._resolve)
        except TargetRefusedError as refusal:
            return Reply(None, error=refusal.message)
        except OSError as error:
            return Reply(None, error=f"the name could not be resolved: {error}")
        headers = {
            "Content-Type": "application/cloudevents+json",
            "User-Agent": "Holdfast-Webhooks/1",
            **signed_headers(
                message_id=str(claimed.event_id), body=claimed.body, valid=claimed.secrets, at=clock.now()
            ),
        }
        return post(target, addresses, headers=headers, body=claimed.body.encode(), tls=self._tls)

    def _settle(self, claimed: Claim, reply: Reply) -> None:
        crashpoint("webhooks.before_settle")
        follows = settle(claimed, reply, now=clock.now(), random=self._random)
        outcome = "delivered" if reply.is_success else "failed"
        histogram("webhook_attempt_s", outcome=outcome).observe(reply.took_s)
        if follows is not None and follows.disables is not None:
            counter("webhook_endpoints_disabled_total").add(1)
        if follows is not None and not reply.is_success:
            logger.info(
                "A webhook was not taken.",
                extra={
                    "delivery": str(claimed.delivery_id),
                    "endpoint": str(claimed.endpoint_id),
                    "attempt": claimed.attempt,
                    "status": reply.status,
                    "error": reply.error,
                    "state": follows.state,
                },
            )
