"""The conversation with Redis: one pipeline a beat."""

import asyncio
import contextlib
import logging
from collections.abc import Sequence

import redis.asyncio
import redis.exceptions
from django.conf import settings
from redis.asyncio.client import Pipeline
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from resilience.pulse.care import carefully, give
from resilience.pulse.member import Member

logger = logging.getLogger(__name__)

# A beat that takes longer is missed. Halved, a busy machine loses beats; doubled, the tools learn that
# late that they are on their own.
REDIS_LIMIT_S = 0.5


class RedisConversation:
    """One pipeline a beat."""

    name = "redis"

    def __init__(self) -> None:
        self._redis = redis.asyncio.Redis.from_url(
            settings.PULSE_REDIS_URL,
            socket_connect_timeout=REDIS_LIMIT_S,
            socket_timeout=REDIS_LIMIT_S,
            # A retry would come after the beat that it is for.
            retry=Retry(NoBackoff(), 0),
        )

    async def beat(self, members: Sequence[Member]) -> bool:
        """Send every member's commands, and give each its replies."""
        pipeline = self._redis.pipeline(transaction=False)
        ends: list[int] = []
        for member in members:
            if carefully(member, self._queue, member, pipeline) is None:
                carefully(member, member.miss_redis)
            ends.append(len(pipeline))
        try:
            async with asyncio.timeout(REDIS_LIMIT_S):
                replies = await pipeline.execute(raise_on_error=False)
        except (redis.exceptions.RedisError, OSError, TimeoutError) as error:
            logger.debug("Redis missed a beat.", extra={"error": repr(error)})
            for member in members:
                carefully(member, member.miss_redis)
            return False
        for member, start, end in zip(members, [0, *ends], ends, strict=False):
            if start != end:
                give(member, replies[start:end])
        return True

    def _queue(self, member: Member, pipeline: Pipeline) -> int:
        """Let `member` queue its commands; with one that cannot be sent, nobody's would be."""
        begun, encoder = len(pipeline), self._redis.connection_pool.get_encoder()
        try:
            member.queue(pipeline)
            for arguments, _options in pipeline.command_stack[begun:]:
                for argument in arguments:
                    encoder.encode(argument)
        except Exception:
            del pipeline.command_stack[begun:]
            raise
        return len(pipeline)

    async def close(self) -> None:
        """End the connection."""
        with contextlib.suppress(redis.exceptions.RedisError, OSError):
            await self._redis.aclose()
