"""What a tool has to be to live on the pulse."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio.client import Pipeline


@dataclass(frozen=True)
class Query:
    """SQL for PostgreSQL with its parameters; `%` as psycopg wants it."""

    sql: str
    parameters: tuple[Any, ...] = ()


class Member:
    """One tool's part in each beat: what it tells, what it asks, and what it does without an answer.

    Every method runs on the pulse's thread and holds up all other tools: it only reads and writes memory.
    Requests and saga steps read that memory from their threads, so it is replaced whole or guarded.
    What a method raises is logged, and is the end of nothing.
    """

    name: str

    def queue(self, pipeline: Pipeline) -> None:
        """Add this beat's commands to the one Redis pipeline."""

    def hear(self, replies: Sequence[Any]) -> None:
        """Take the replies to the commands of `queue`, in their order; not called where it queued none."""

    def miss_redis(self) -> None:
        """Go on by oneself: Redis did not answer this beat, or refused one of the commands."""

    def question(self, alias: str) -> Query | None:
        """Return a scalar expression for the one query to `alias` ("default" or "replica"), if any.

        Cheap, since each process asks four times a second. What is large is asked for by a version that is
        known already, and is NULL while that is the newest.
        """

    def meet(self, alias: str, place: str) -> None:
        """Learn that `alias` is asked at `place` (`host:port`) from now on; comes before its answer."""

    def answer(self, alias: str, value: Any, asked_at: float) -> None:
        """Take the value of `question`, true at some moment after `asked_at` (monotonic seconds)."""

    def miss_database(self, alias: str) -> None:
        """Go on by oneself: `alias` did not answer this beat."""

    def write(self) -> Query | None:
        """Return a statement that the primary should carry out behind this beat, if any."""

    def written(self) -> None:
        """Forget what `write` gave: it is committed. Not called when that is not known."""

    def forget(self) -> None:
        """Begin anew in a forked child: what is known of the parent's life is not this process's."""
