"""The conversation with a database: one query a beat, over a connection of its own."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from typing import Any

import psycopg
from django.db import connections

from resilience.postgres.newest import TIMELINE, newest
from resilience.postgres.servers import place_of, serves
from resilience.postgres.wires import cut
from resilience.pulse.care import carefully
from resilience.pulse.member import Member, Query

logger = logging.getLogger(__name__)

# A beat that takes longer is missed. Halved, a busy machine loses beats; doubled, the tools learn that
# late that they are on their own.
DATABASE_LIMIT_S = 1.0
# A migration holds one table and wants another; this query may hold that one, and wait for the first. Far
# below PostgreSQL's deadlock_timeout (1 s): it is always the pulse that gives way.
_YIELDING = "SET LOCAL lock_timeout = '100ms'; "
# A question that took longer than the beat is asked again after this; meanwhile the others are.
SLOW_REST_S = 10.0
# What a cut connection has to notice it.
_LAST_MOMENT_S = 0.5
# A standby among several hosts is looked for again after this, when the one that was met is none.
_SEARCH_S = 2.0
# libpq counts in whole seconds, and takes 1 as 2, for each address of a host name.
_CONNECT_LIMIT_S = 2
# A server behind a cut wire is given up after about 4 s; without these, after hours.
_NETWORK_LIMITS = {
    "connect_timeout": _CONNECT_LIMIT_S,
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 2,
    "tcp_user_timeout": 2000,
}


class _TooSlowError(psycopg.OperationalError):
    """The server was connected to, and did not answer in time."""


class DatabaseConversation:
    """One query a beat, over a connection of its own: Django's belong to threads, with their waits."""

    def __init__(self, alias: str, *, writes: bool) -> None:
        self.name = alias
        self._writes = writes
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._connected_at = 0.0
        # `host:port` of the server that was connected to, until the members have heard of it.
        self._news: str | None = None
        # The last beat was too long: one question may be slow, and must not cost the others their answers.
        self._is_suspicious = False
        # By member's name: when its slow question is asked again.
        self._rest_until: dict[str, float] = {}

    async def beat(self, members: Sequence[Member]) -> bool:
        """Ask every member's question at once, give the answers, and carry out what they want written."""
        if self._is_misled():
            await self.close()
        questions = [(member, carefully(member, member.question, self.name)) for member in members]
        asked_at = time.monotonic()
        asking = [
            (member, question)
            for member, question in questions
            if question is not None and self._rest_until.get(member.name, 0.0) <= asked_at
        ]
        values = await self._answers_to([question for _member, question in asking])
        if values is None:
            for member in members:
                carefully(member, member.miss_database, self.name)
            return False
        self._tell_of_server(members)
        for (member, _question), value in zip(asking, values, strict=True):
            if isinstance(value, psycopg.Error):
                if isinstance(value, _TooSlowError):
                    self._rest(member)
                carefully(member, member.miss_database, self.name)
            else:
                carefully(member, member.answer, self.name, value, asked_at)
        if self._is_misled():
            await self.close()
        elif self._writes:
            await self._write(members)
        return True

    async def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with contextlib.suppress(psycopg.Error, OSError):
                await connection.close()

    def _tell_of_server(self, members: Sequence[Member]) -> None:
        place, self._news = self._news, None
        if place is not None:
            for member in members:
                carefully(member, member.meet, self.name, place)

    def _is_misled(self) -> bool:
        """Tell whether another server is to be looked for: this one was demoted, or promoted."""
        if self._connection is None:
            return False
        options = connections[self.name].settings_dict
        target = options["OPTIONS"].get("target_session_attrs")
        if self._writes:
            is_newest = newest.place in (None, place_of(self._connection))
            return not (is_newest and serves(self._connection.info, target))
        return (
            target in ("standby", "prefer-standby")
            and "," in str(options["HOST"])
            and self._connection.info.parameter_status("in_hot_standby") == "off"
            and time.monotonic() - self._connected_at > _SEARCH_S
        )

    async def _answers_to(self, questions: Sequence[Query]) -> Sequence[Any] | None:
        """Return a value, or the refusal, for each question; None when the server did not answer."""
        was_suspicious, self._is_suspicious = self._is_suspicious, False
        try:
            if not was_suspicious:
                return await self._row(questions)
            # Whoever does not answer this is frozen, and no question is to blame.
            await self._row([])
        except psycopg.errors.LockNotAvailable as error:
            return [error for _question in questions]
        except psycopg.Error as error:
            self._is_suspicious = isinstance(error, _TooSlowError)
            if self._connection is None:
                logger.debug("A database missed a beat.", extra={"alias": self.name, "error": repr(error)})
                return None
        # One question is wrong (its table is not there yet, say), and must not silence the others.
        return await self._one_by_one(questions)

    async def _one_by_one(self, questions: Sequence[Query]) -> Sequence[Any] | None:
        values: list[Any] = []
        for question in questions:
            try:
                values += await self._row([question])
            except psycopg.Error as error:
                if self._connection is None and not isinstance(error, _TooSlowError):
                    return None
                logger.debug(
                    "A question of the pulse was refused.", extra={"alias": self.name, "error": repr(error)}
                )
                values.append(error)
        return values

    def _rest(self, member: Member) -> None:
        self._rest_until[member.name] = time.monotonic() + SLOW_REST_S
        logger.warning(
            "A question of the pulse took too long; it rests for a while.",
            extra={"member": member.name, "alias": self.name, "rest_s": SLOW_REST_S},
        )

    async def _write(self, members: Sequence[Member]) -> None:
        for member in members:
            wanted = carefully(member, member.write)
            if wanted is None:
                continue
            try:
                await self._limited(wanted)
            except psycopg.Error as error:
                logger.warning(
                    "What a tool measured was not written; it is tried again.",
                    extra={"member": member.name, "error": str(error)},
                )
                if self._connection is None:
                    return
            else:
                carefully(member, member.written)

    async def _row(self, questions: Sequence[Query]) -> Sequence[Any]:
        expressions = ", ".join(f"({question.sql})" for question in questions) or "1"
        parameters = tuple(value for question in questions for value in question.parameters)
        row = (await self._limited(Query(f"SELECT {expressions}", parameters))) or (1,)
        return row if questions else ()

    async def _limited(self, query: Query) -> Sequence[Any] | None:
        """Carry out `query` within the limit. Raises psycopg.Error; `_connection` is None if it broke."""
        if self._connection is None:
            self._connection = await self._connected()
            self._connected_at, self._news = time.monotonic(), place_of(self._connection)
            if self._writes:
                await self._refuse_old_primary()
        connection = self._connection
        asking = asyncio.ensure_future(_first_row(connection, query))
        done, _pending = await asyncio.wait({asking}, timeout=DATABASE_LIMIT_S)
        if not done:
            # Cancelling politely would ask the server that does not answer.
            cut(connection)
            await asyncio.wait({asking}, timeout=_LAST_MOMENT_S)
            asking.cancel()
            self._connection = None
            with contextlib.suppress(psycopg.Error, asyncio.CancelledError):
                await asking
            raise _TooSlowError("no answer within the beat")
        try:
            return asking.result()
        except psycopg.Error:
            if connection.broken or connection.closed:
                self._connection = None
            raise

    async def _refuse_old_primary(self) -> None:
        """Neither believe nor write a primary of the past: raises psycopg.Error, and is not connected."""
        row = await self._limited(Query(TIMELINE)) or (0,)
        if not newest.see(timeline=row[0], place=self._news):
            await self.close()
            raise psycopg.OperationalError(f"{self._news} is a primary of the past (timeline {row[0]})")

    async def _connected(self) -> psycopg.AsyncConnection[Any]:
        parameters = connections[self.name].get_connection_params()
        # Django's cursors are not for this kind of connection, and its adapters leave JSON as text.
        for own in ("cursor_factory", "context"):
            parameters.pop(own, None)
        # Without a host to try after another: all of them share the limit.
        try:
            async with asyncio.timeout(2 * _CONNECT_LIMIT_S):
                return await psycopg.AsyncConnection.connect(
                    **{**parameters, **_NETWORK_LIMITS}, autocommit=True
                )
        except (TimeoutError, OSError) as error:
            raise psycopg.OperationalError(str(error)) from error


async def _first_row(connection: psycopg.AsyncConnection[Any], query: Query) -> Sequence[Any] | None:
    # Parameters are put in on this side: so both are one message and one transaction, through a pooler too.
    cursor = psycopg.AsyncClientCursor(connection)
    await cursor.execute(_YIELDING + query.sql, query.parameters or None)
    cursor.nextset()
    row: Sequence[Any] | None = None if cursor.description is None else await cursor.fetchone()
    return row
