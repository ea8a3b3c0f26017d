"""What can go wrong, as context managers: entering begins it, leaving heals it. From outside only."""

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from random import Random

import httpx
import redis as redis_client

from config.gameday.errors import GameDayError
from config.gameday.scenario import Fault
from config.gameday.stage import Stage

_REDELIVER_LIMIT_S = 10.0
_RECENT_EVENTS = "SELECT id FROM events ORDER BY seq DESC LIMIT 2000"


def nothing(_stage: Stage) -> AbstractContextManager[object]:
    """No fault but the load itself."""
    return contextlib.nullcontext()


def together(*faults: Fault) -> Fault:
    """Several at once; healed in reverse."""

    @contextlib.contextmanager
    def fault(stage: Stage) -> Iterator[None]:
        with contextlib.ExitStack() as entered:
            for one in faults:
                entered.enter_context(one(stage))
            yield

    return fault


def routes(pattern: str, **behaviour: object) -> Fault:
    """Routes of the proxy behave so: `mode`, `stalls`, `latency_ms`, `bytes_per_s` (config/stack/proxy)."""

    @contextlib.contextmanager
    def fault(stage: Stage) -> Iterator[None]:
        names = stage.routes(pattern)
        stage.proxy.behave(names, **behaviour)
        try:
            yield
        finally:
            stage.proxy.behave(names)

    return fault


def sandbox(*faults: Mapping[str, object]) -> Fault:
    """Faults of the sandbox gateways themselves (docs/sandbox.md), at each of them."""

    @contextlib.contextmanager
    def fault(stage: Stage) -> Iterator[None]:
        for one in faults:
            stage.at_gateways("POST", "/_faults", one)
        try:
            yield
        finally:
            stage.at_gateways("DELETE", "/_faults")

    return fault


def held_down(part: str) -> Fault:
    """A part is killed with -9, kept down, and started again at the end."""
    return _held_down(lambda _stage: part)


def follower_held_down() -> Fault:
    """The PostgreSQL server that follows now is killed with -9, kept down, and started again at the end."""
    return _held_down(lambda stage: str(stage.tell("status")["follower"]))


def _held_down(which: Callable[[Stage], str]) -> Fault:
    @contextlib.contextmanager
    def fault(stage: Stage) -> Iterator[None]:
        part = which(stage)
        stage.tell("kill", part)
        try:
            yield
        finally:
            stage.tell("start", part)

    return fault


def killed_again_and_again(kind: str, *, every_s: float) -> Fault:
    """All processes of a kind are killed with -9, again and again; the supervisor starts them."""

    def kill(stage: Stage) -> None:
        stage.signal(stage.pids(kind), signal.SIGKILL)

    return repeated(kill, every_s=every_s)


def redis_emptied(*, every_s: float) -> Fault:
    """Redis forgets everything, again and again."""

    def empty(stage: Stage) -> None:
        with contextlib.suppress(redis_client.RedisError):
            stage.redis().flushall()

    return repeated(empty, every_s=every_s)


@contextlib.contextmanager
def leader_frozen(stage: Stage) -> Iterator[None]:
    """Every process of the server that leads stands still: it takes connections and never answers."""
    leader = str(stage.tell("status")["leader"])
    stage.signal(stage.database_pids(leader), signal.SIGSTOP)
    try:
        yield
    finally:
        # Asked for again: the postmaster may have forked one while the others were being stopped.
        stage.signal(stage.database_pids(leader), signal.SIGCONT)


@contextlib.contextmanager
def replay_paused(stage: Stage) -> Iterator[None]:
    """The replica receives and does not replay: its lag grows as long as this lasts."""
    with stage.superuser("replica") as replica:
        replica.execute("SELECT pg_wal_replay_pause()")
        try:
            yield
        finally:
            replica.execute("SELECT pg_wal_replay_resume()")


def failover(*, stream_latency_ms: float) -> Fault:
    """The primary is lost with what its held-back stream had not delivered; the replica is promoted.

    Without holding the stream back, the kernel delivers everything, and no loss can show
    (research: reliability, section 0). At the end the old primary is rebuilt as a replica.
    """

    @contextlib.contextmanager
    def fault(stage: Stage) -> Iterator[None]:
        status = stage.tell("status")
        stream = stage.routes(f"{status['follower']}-to-{status['leader']}")
        stage.proxy.behave(stream, latency_ms=stream_latency_ms)
        # What is under way for this long is lost with the cut.
        time.sleep(2 * stream_latency_ms / 1000 + 0.5)
        stage.proxy.behave(stream, mode="refuse")
        stage.tell("failover")
        try:
            yield
        finally:
            stage.proxy.behave(stream)
            stage.tell("rebuild")

    return fault


def webhooks_again(*, per_s: float) -> Fault:
    """Each gateway tells of old events again, so many times a second, in any order."""

    def storm(stage: Stage) -> None:
        for told in stage.told["sandboxes"]:
            events = [row[0] for row in stage.gateway_book(_RECENT_EVENTS, only=told["name"])]
            with httpx.Client(base_url=told["url"], timeout=_REDELIVER_LIMIT_S) as client:
                for event in Random().sample(events, min(len(events), int(per_s))):
                    client.post("/_webhooks/redeliver", json={"event": event})

    return repeated(storm, every_s=1.0)


def repeated(act: Callable[[Stage], None], *, every_s: float) -> Fault:
    """Do something at once, and every `every_s` seconds until the end.

    What fails now and then is tried again; a fault that mostly failed was none: GameDayError at the end.
    """

    @contextlib.contextmanager
    def fault(stage: Stage) -> Iterator[None]:
        stopping = threading.Event()
        came_to: list[Exception | None] = []

        def once() -> None:
            try:
                act(stage)
            except Exception as error:  # noqa: BLE001 - told at the end, in the thread that judges
                came_to.append(error)
            else:
                came_to.append(None)

        def again() -> None:
            once()
            while not stopping.wait(every_s):
                once()

        thread = threading.Thread(target=again, name="fault", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join()
        failed = [error for error in came_to if error is not None]
        if 2 * len(failed) > len(came_to):
            raise GameDayError(
                f"The fault failed {len(failed)} of {len(came_to)} times, which shows nothing: {failed[-1]!r}"
            ) from failed[-1]

    return fault
