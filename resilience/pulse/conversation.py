"""One beat with one server: what all members have to say in one message, and its answers.

A server that is frozen holds whoever asks it, without limit. So each conversation has a limit of its own,
and none waits for another.
"""

from collections.abc import Sequence
from typing import Protocol

from resilience.pulse.member import Member


class Conversation(Protocol):
    """A server that is spoken to once a beat."""

    name: str

    async def beat(self, members: Sequence[Member]) -> bool:
        """Speak once; tell whether it answered. Tells the members in any case, and raises nothing."""

    async def close(self) -> None:
        """End the connection."""
