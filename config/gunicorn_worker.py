"""gunicorn's threaded worker with a door: each request is judged when it comes, not when it is served.

The danger: gthread has one queue for all. What is turned away waits in it behind what is served, so does a
probe behind threads that hang, and how long it is nobody knows. So the first bytes of a request are looked at
(and left where they are) by the thread that accepts, which sends it to the lane that is right for it.
"""

import re
import selectors
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

from config.admission import Verdict, hand_over, judge, tier_of
from config.brief_answers import brief_answer
from resilience.limits.line import Line
from resilience.limits.process import shedder
from resilience.limits.shedding import Tier

# Threads beside those of `threads` (config/gunicorn.py). Refusals and probes need a moment each, and threads
# of their own so that they have it when all others hang. Money has two that nothing else stands before.
# Whoever reads /metrics waits for the pulse, and `/livez` must not wait for that.
REFUSING_THREADS = 2
PROBED_THREADS = 1
SCRAPED_THREADS = 1
MONEY_THREADS = 2
# A client that says nothing in the middle of a request, or does not take its answer, is given up after this:
# it holds a thread. Halved, a phone in a tunnel loses its order; doubled, so do those behind it.
STALL_S_MAX = 5
# A connection that we end stays for the client to hear its answer out, and as many bytes may still come.
LINGER_S = 2.0
_LINGER_BYTES_MAX = 64 * 1024
# The thread that accepts has to get its turn among eight that compute; Python's own 5 ms were most of a
# refusal's time.
_SWITCH_INTERVAL_S = 0.0005
# All headers of an ordinary request. A longer one is judged all the same, and served in the common lane.
_LOOK_BYTES = 4096
_PEEK = socket.MSG_PEEK
_METRICS = (b"GET /metrics", b"HEAD /metrics")
# Accepting one connection a turn, as gthread does, leaves the others where nobody sees them: in the kernel.
_ACCEPTS_MAX = 32
_FIRST_LINE = re.compile(rb"([A-Z]{3,10}) (?:https?://[^/ ?]+)?(/[^ ?]*)")
# Whoever serves a body waits for it; lanes of one thread or two are for those who need not be waited for.
_BODY = re.compile(
    rb"\r\n(?:transfer-encoding|expect|upgrade|content-length(?!:[ \t]*0+[ \t]*\r))[ \t]*:", re.IGNORECASE
)
_REQUEST_START = re.compile(rb"\r\nx-request-start:([^\r]*)\r", re.IGNORECASE)


class Worker(ThreadWorker):
    """A ThreadWorker with lanes."""

    def init_process(self) -> None:
        """Open the lanes, and serve."""
        self._refusing = ThreadPoolExecutor(REFUSING_THREADS, thread_name_prefix="refusing")
        self._probed = ThreadPoolExecutor(PROBED_THREADS, thread_name_prefix="probed")
        self._scraped = ThreadPoolExecutor(SCRAPED_THREADS, thread_name_prefix="scraped")
        self._money = ThreadPoolExecutor(MONEY_THREADS, thread_name_prefix="money")
        # Connections that are over, in the order in which they are closed, and how much came since.
        self._lingering: deque[TConn] = deque()
        self._came_late: dict[TConn, int] = {}
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
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
        seen = seen or b""
        verdict, tier, is_whole = _judged(seen)
        if verdict is not None and self._answer_at_once(conn, seen, verdict):
            return
        if verdict is not None and verdict.shed is not None and is_whole:
            self._queue(conn, self._refusing, partial(self._serve, conn, verdict, None))
        elif verdict is not None and tier is None and is_whole and not _BODY.search(seen):
            pool = self._scraped if seen.startswith(_METRICS) else self._probed
            self._queue(conn, pool, partial(self._serve, conn, verdict, None))
        else:
            line = shedder.line_of(Tier.LIST if tier is None else tier)
            line.join()
            pool = self._money if tier is Tier.MONEY else self.tpool
            self._queue(conn, pool, partial(self._serve, conn, verdict, line))

    def _answer_at_once(self, conn: TConn, seen: bytes, verdict: Verdict) -> bool:
        """Answer here what needs no thread; tell whether that was done."""
        is_read_ahead = conn.parser is not None and conn.parser.unreader.buf.getvalue()
        if is_read_ahead or not self.alive or len(self.keepalived_conns) >= self.max_keepalived:
            return False
        answer = brief_answer(seen, verdict)
        if answer is None:
            return False
        try:
            conn.sock.recv(answer.length)
            is_taken = conn.sock.send(answer.sent) == len(answer.sent)
        except OSError:
            is_taken = False
        if answer.closes or not is_taken:
            self._end(conn)
            return True
        conn.set_timeout()
        self.keepalived_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_client_socket_readable, conn))
        return True

    def finish_request(self, conn: TConn, fs: Future[Any]) -> None:
        """End the connection, or go on with it."""
        if fs.cancelled() or fs.exception() is not None or fs.result():
            super().finish_request(conn, fs)
        else:
            self._end(conn)

    def murder_pending(self) -> None:
        """Close what has waited long enough: for a first word, or for the client to hear the last one."""
        super().murder_pending()
        while self._lingering and self._lingering[0].timeout <= time.monotonic():
            self._close(self._lingering[0])

    def _end(self, conn: TConn) -> None:
        """Say that nothing more comes, and close once the client has heard it.

        gthread waits for that in the thread that accepts: a client that does not close holds up all others.
        """
        try:
            conn.sock.settimeout(0)
            conn.sock.shutdown(socket.SHUT_WR)
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._hear_out, conn))
        except (OSError, ValueError):
            self.nr_conns -= 1
            conn.close()
            return
        conn.timeout = time.monotonic() + LINGER_S
        self._lingering.append(conn)
        self._came_late[conn] = 0

    def _hear_out(self, conn: TConn, _sock: Any) -> None:
        try:
            late = len(conn.sock.recv(_LOOK_BYTES))
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            late = 0
        self._came_late[conn] += late
        if not late or self._came_late[conn] > _LINGER_BYTES_MAX:
            self._close(conn)

    def _close(self, conn: TConn) -> None:
        self._lingering.remove(conn)
        del self._came_late[conn]
        self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()

    def _look(self, conn: TConn) -> bytes | None:
        """Return the first bytes that have come on `conn` and leave them there; None: none have."""
        if self.cfg.is_ssl:
            return b""  # they would say nothing
        if conn.parser is not None and (read_ahead := conn.parser.unreader.buf.getvalue()):
            # Of a request that was sent behind another one; what the socket holds is the middle of it.
            return bytes(read_ahead[:_LOOK_BYTES])
        try:
            if not conn.initialized:
                self._limit_stalls(conn)
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

    def _limit_stalls(self, conn: TConn) -> None:
        limit = struct.pack("ll", STALL_S_MAX, 0)
        for direction in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            conn.sock.setsockopt(socket.SOL_SOCKET, direction, limit)

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
