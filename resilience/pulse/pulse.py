"""The thread that keeps every tool's memory fresh, four times a second."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from random import Random

from resilience.pulse.care import log_seldom
from resilience.pulse.conversation import Conversation
from resilience.pulse.member import Member

# Halved, the tools know twice as early and cost twice as much (some 4 ms of CPU a second and process).
INTERVAL_S = 0.25
# The processes of a fleet that started together do not go on beating together.
_JITTER = 0.1
_STOP_LIMIT_S = 2.0
# However much news there is: at most this many beats a second for it (50), so that a dependency which fails
# at every call does not keep the pulse busy.
_HURRY_S_MIN = 0.02


class Pulse:
    """One thread, and in it one loop for each server that is spoken to."""

    def __init__(
        self,
        *,
        members: Callable[[], Sequence[Member]],
        conversations: Callable[[], Sequence[Conversation]],
        random: Random,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._members = members
        self._conversations = conversations
        self._random = random
        self._monotonic = monotonic
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_over = False
        self._stopping: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turned = threading.Condition()
        # By conversation: when it was last tried, and when it was last answered (monotonic seconds).
        self._tried_at: dict[str, float] = {}
        self._answered_at: dict[str, float] = {}
        # By conversation: somebody has news that should not wait for the next beat.
        self._hurried: dict[str, asyncio.Event] = {}

    @property
    def is_running(self) -> bool:
        """Whether the thread was started."""
        return self._thread is not None

    def start(self) -> None:
        """Start the thread, unless it has started."""
        with self._starting:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="pulse", daemon=True)
                thread.start()
                self._thread = thread

    def stop(self) -> None:
        """End the thread and its connections; this pulse is of no use afterwards."""
        with self._starting:
            self._is_over = True
            thread, loop, stopping = self._thread, self._loop, self._stopping
        if thread is None:
            return
        if loop is not None and stopping is not None:
            with contextlib.suppress(RuntimeError):  # its loop has ended already
                loop.call_soon_threadsafe(stopping.set)
        thread.join(_STOP_LIMIT_S)

    def hurry(self, name: str) -> None:
        """Let the next beat with `name` come at once. Costs microseconds, and waits for nothing."""
        hurried, loop = self._hurried.get(name), self._loop
        if hurried is not None and loop is not None and not hurried.is_set():
            with contextlib.suppress(RuntimeError):  # its loop has ended already
                loop.call_soon_threadsafe(hurried.set)

    def age_s(self, name: str) -> float | None:
        """Return how long ago `name` ("redis", "default", "replica") last answered; None: never yet."""
        answered_at = self._answered_at.get(name)
        return None if answered_at is None else self._monotonic() - answered_at

    def wait_for_turn(self, name: str, *, after: float = 0.0, limit_s: float) -> bool:
        """Wait until `name` was tried after `after` (monotonic seconds); tell whether it was."""
        with self._turned:
            return self._turned.wait_for(lambda: self._tried_at.get(name, -1.0) > after, limit_s)

    def _run(self) -> None:
        asyncio.run(self._live())

    async def _live(self) -> None:
        with self._starting:
            self._stopping = asyncio.Event()
            self._loop = asyncio.get_running_loop()
            if self._is_over:
                # Stopped before anybody could tell it so: it would beat beside the one that follows.
                return
        conversations = self._conversations()
        lives = [asyncio.ensure_future(self._converse(one, self._stopping)) for one in conversations]
        await self._stopping.wait()
        for life in lives:
            life.cancel()
        await asyncio.gather(*lives, return_exceptions=True)
        for one in conversations:
            await one.close()

    async def _beat(self, conversation: Conversation) -> bool:
        """Let one beat be a missed one, whatever is wrong with it: nobody would see that none comes after."""
        try:
            return await conversation.beat(self._members())
        except Exception as error:  # noqa: BLE001 - the next beat may go well
            log_seldom("A beat failed.", error, member=conversation.name)
            with contextlib.suppress(Exception):
                await conversation.close()
            return False

    async def _converse(self, conversation: Conversation, stopping: asyncio.Event) -> None:
        hurried = self._hurried[conversation.name] = asyncio.Event()
        while not stopping.is_set():
            hurried.clear()
            begun_at = self._monotonic()
            is_answered = await self._beat(conversation)
            with self._turned:
                self._tried_at[conversation.name] = begun_at
                if is_answered:
                    self._answered_at[conversation.name] = begun_at
                self._turned.notify_all()
            interval_s = INTERVAL_S * self._random.uniform(1 - _JITTER, 1 + _JITTER)
            await asyncio.sleep(max(0.0, begun_at + _HURRY_S_MIN - self._monotonic()))
            rest_s = max(0.0, begun_at + interval_s - self._monotonic())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(hurried.wait(), rest_s)
