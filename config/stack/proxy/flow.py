"""One direction of one connection: bytes in, the same bytes out, later, slower, or not at all.

Callbacks of asyncio, not streams: a database answers in 100 µs, and a hop must not double that.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from config.stack.proxy.behaviour import Behaviour, Stalls

# What one direction holds while it delays; beyond it, the sender is not read from. At 200 ms latency
# this still carries 5 MB/s; more only fills memory when a receiver is slow.
_HELD_BYTES_MAX = 1024 * 1024


class Flow:
    """Carries from `source` to `sink`, both connected. Use it in its event loop only."""

    def __init__(
        self,
        *,
        source: asyncio.Transport,
        sink: asyncio.Transport,
        direction: Stalls,
        behaviour: Behaviour,
        carried: Callable[[int], None],
        ended: Callable[[], None],
    ) -> None:
        """`carried` hears of bytes that were handed on, `ended` when the end of the stream was."""
        self._loop = asyncio.get_running_loop()
        self._source = source
        self._sink = sink
        self._direction = direction
        self._behaviour = behaviour
        self._carried = carried
        self._ended = ended
        # None is the end of the stream.
        self._held: deque[tuple[float, bytes | None]] = deque()
        self._held_bytes = 0
        self._due_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._is_sink_full = False
        self._is_source_done = False
        self._is_dropped = False

    def take(self, data: bytes | None) -> None:
        """Carry `data`, or the end of the stream (None)."""
        if self._is_source_done:
            return
        self._is_source_done = data is None
        behaviour = self._behaviour
        if not self._held and not self._is_stalled and not behaviour.latency_ms and not behaviour.bytes_per_s:
            self._write(data)
            return
        size = len(data or b"")
        pace_s = size / behaviour.bytes_per_s if behaviour.bytes_per_s else 0.0
        # Never before what came earlier, also when the latency was lowered meanwhile.
        sent_at = max(self._due_at - self._latency_s, self._loop.time()) + pace_s
        self._due_at = max(self._due_at, sent_at + self._latency_s)
        self._held.append((self._due_at, data))
        self._held_bytes += size
        self._pause_or_resume()
        self._schedule()

    def behave(self, behaviour: Behaviour) -> None:
        """Change to `behaviour`, also for what is held."""
        self._behaviour = behaviour
        self._pause_or_resume()
        self._schedule()

    def mind_sink(self, *, is_full: bool) -> None:
        """Hear whether the receiver takes what it is given."""
        self._is_sink_full = is_full
        self._pause_or_resume()

    def drop(self) -> None:
        """Forget what is held: the connection is gone."""
        self._is_dropped = True
        self._held.clear()
        if self._timer is not None:
            self._timer.cancel()

    @property
    def _latency_s(self) -> float:
        return self._behaviour.latency_ms / 1000

    @property
    def _is_stalled(self) -> bool:
        return self._behaviour.is_stalled(self._direction)

    def _schedule(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._held and not self._is_stalled and not self._is_dropped:
            # What was held for a latency that is no more leaves at once.
            latest = self._loop.time() + self._latency_s if not self._behaviour.bytes_per_s else float("inf")
            self._timer = self._loop.call_at(min(self._held[0][0], latest), self._release)

    def _release(self) -> None:
        self._timer = None
        now = self._loop.time()
        is_first = True
        while self._held and (is_first or self._held[0][0] <= now):
            is_first = False
            _due_at, data = self._held.popleft()
            self._held_bytes -= len(data or b"")
            self._write(data)
        self._pause_or_resume()
        self._schedule()

    def _write(self, data: bytes | None) -> None:
        if self._sink.is_closing():
            return
        if data is None:
            if self._sink.can_write_eof():
                self._sink.write_eof()
            self._ended()
            return
        self._carried(len(data))
        self._sink.write(data)

    def _pause_or_resume(self) -> None:
        # asyncio would tell of an end again if it were told to read on after it.
        if self._source.is_closing() or self._is_source_done:
            return
        if self._is_stalled or self._is_sink_full or self._held_bytes > _HELD_BYTES_MAX:
            self._source.pause_reading()
        else:
            self._source.resume_reading()
