"""How many processes live: each says so at every beat."""

import os
import secrets
import socket
from collections.abc import Sequence
from typing import Any

from redis.asyncio.client import Pipeline

from resilience.pulse.member import Member

# A process that said nothing for this long is dead, or cut off; eight beats.
SILENCE_MS_MAX = 2000
_KEY = "hf:pulse:processes"
# The server's clock: those of the machines differ.
_SAY_AND_COUNT = """
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now_ms, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now_ms - ARGV[2])
return redis.call('ZCARD', KEYS[1])
"""


class Fleet(Member):
    """Counts the living processes. `size` is 1, this one, while Redis is away."""

    name = "fleet"

    def __init__(self) -> None:
        self.process = _process_name()
        self.size = 1

    def queue(self, pipeline: Pipeline) -> None:
        """Say that this process lives."""
        pipeline.eval(_SAY_AND_COUNT, 1, _KEY, self.process, str(SILENCE_MS_MAX))

    def hear(self, replies: Sequence[Any]) -> None:
        """Learn how many do."""
        self.size = max(1, int(replies[0]))

    def miss_redis(self) -> None:
        """Count oneself only."""
        self.size = 1

    def forget(self) -> None:
        """Take a name of one's own."""
        self.process = _process_name()
        self.size = 1


def _process_name() -> str:
    # Process ids come again, also on another machine of the same name.
    return f"{socket.gethostname()[:40]}:{os.getpid()}:{secrets.token_hex(4)}"
