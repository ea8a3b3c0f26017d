"""gunicorn's threaded worker with a door: each request is judged when it comes, not when it is served.

The danger: gthread has one queue for all. What is turned away waits in it behind what is served, so does a
probe behind threads that hang, and how long it is nobody knows. So the first bytes of a request are looked at
(and left where they are) by the thread that accepts, which sends it to the lane that is right for it.
"""

import re
import selectors
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

from config.admission import Verdict, hand_over, judge, tier_of
from resilience.limits.line import Line
from resilience.limits.process import shedder
from resilience.limits.shedding import Tier

# Threads beside those of `threads` (config/gunicorn.py). Refusals and probes need a moment each, and threads
# of their own so that they have it when all others hang. Money has two that nothing else stands before.
REFUSING_THREADS = 2
PROBED_THREADS = 1
MONEY_THREADS = 2
# All headers of an ordinary request. A longer one is judged all the same, and served in the common lane.
_LOOK_BYTES = 4096
_PEEK = socket.MSG_PEEK
# Accepting one connection a turn, as gthread does, leaves the others where nobody sees them: in the kernel.
_ACCEPTS_MAX = 32
_FIRST_LINE = re.compile(rb"([A-Z]{3,10}) (?:https?://[^/ ?]+)?(/[^ ?]*)")
_REQUEST_START = re.compile(rb"\r\nx-request-start:([^\r]*)\r", re.IGNORECASE)


class Worker(ThreadWorker):
    """A ThreadWorker with lanes."""

    def init_process(self) -> None:
        """Open the lanes, and serve."""
        self._refusing = ThreadPoolExecutor(REFUSING_THREADS, thread_name_prefix="refusing")
        self._probed = ThreadPoolExecutor(PROBED_THREADS, thread_name_prefix="probed")
        self._money = ThreadPoolExecutor(MONEY_THREADS, thread_name_prefix="money")
        super().init_process()

    def accept(self, listener: Any) -> None:
        """Accept what has come, up to a limit."""
        for _ in range(_ACCEPTS_MAX):
            accepted = self.nr_conns
            if accepted >= self.worker_connections:
                return
            super().accept(listener)
            if self.nr_conns == accepted:
                return

    def enqueue_req(self, conn: TConn) -> None:
        """Judge the request that has come on `conn`, and queue it in its lane."""
        seen = self._look(conn)
        if seen is None and not conn.initialized:
            self._await_data(conn)
            return
        verdict, tier, is_whole = _judged(seen or b"")
        if verdict is not None and verdict.shed is not None and is_whole:
            self._queue(conn, self._refusing, partial(self._serve, conn, verdict, None))
        elif verdict is not None and tier is None and is_whole:
            self._queue(conn, self._probed, partial(self._serve, conn, verdict, None))
        else:
            line = shedder.line_of(Tier.LIST if tier is None else tier)
            line.join()
            pool = self._money if tier is Tier.MONEY else self.tpool
            self._queue(conn, pool, partial(self._serve, conn, verdict, line))

    def _look(self, conn: TConn) -> bytes | None:
        """Return the first bytes that have come on `conn` and leave them there; None: none have."""
        if self.cfg.is_ssl:
            return b""  # they would say nothing
        try:
            conn.sock.settimeout(0)
            seen: bytes = conn.sock.recv(_LOOK_BYTES, _PEEK)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError:
            return b""  # whoever serves it meets the error again
        conn.data_ready = True
        return seen

    def _await_data(self, conn: TConn) -> None:
        """Put a connection that has said nothing yet aside, as gthread does after a thread waited for it."""
        conn.sock.settimeout(0)
        conn.timeout = time.monotonic() + self.cfg.keepalive
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def _queue(self, conn: TConn, pool: ThreadPoolExecutor, serve: Callable[[], Any]) -> None:
        pool.submit(serve).add_done_callback(
            lambda future: self.method_queue.defer(self.finish_request, conn, future)
        )

    def _serve(self, conn: TConn, verdict: Verdict | None, line: Line | None) -> Any:
        if line is not None:
            line.leave()
        hand_over(verdict)
        return self.handle(conn)


def _judged(seen: bytes) -> tuple[Verdict | None, Tier | None, bool]:
    """Return verdict and tier of the request that begins so, and whether its headers are all there.

    No verdict where its first line is not, or no longer, to be seen: then it is judged when it is served.
    """
    first = _FIRST_LINE.match(seen)
    if first is None or b"\r\n" not in seen:
        return None, Tier.LIST, False
    method, path = first[1].decode(), first[2].decode("latin-1")
    started = _REQUEST_START.search(seen)
    verdict = judge(method, path, request_start=started[1].decode("latin-1") if started else "")
    return verdict, tier_of(method, path), b"\r\n\r\n" in seen
