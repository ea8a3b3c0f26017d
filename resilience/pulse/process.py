"""The one pulse of this process."""

import atexit
import os
from random import Random

from resilience.pulse.conversation import Conversation
from resilience.pulse.database_conversation import DatabaseConversation
from resilience.pulse.fleet import Fleet
from resilience.pulse.member import Member
from resilience.pulse.pulse import Pulse
from resilience.pulse.redis_conversation import RedisConversation

_fleet = Fleet()
_members: list[Member] = [_fleet]
# Of the parents of this process: never used, and never cleaned up, which would speak over their sockets.
_inherited: list[Pulse] = []


def _conversations() -> list[Conversation]:
    return [
        RedisConversation(),
        DatabaseConversation("default", writes=True),
        DatabaseConversation("replica", writes=False),
    ]


def _new() -> Pulse:
    return Pulse(members=lambda: tuple(_members), conversations=_conversations, random=Random())


_pulse = _new()


def join(member: Member) -> None:
    """Let `member` take part from the next beat on; at import, once a process."""
    if any(other.name == member.name for other in _members):
        raise ValueError(f"two tools on the pulse are called {member.name!r}")
    _members.append(member)


def leave(member: Member) -> None:
    """Let `member` take part no longer; for tests that made one."""
    _members.remove(member)


def ensure_running() -> None:
    """Start the pulse of this process if it does not run; costs nothing when it does."""
    if not _pulse.is_running:
        _pulse.start()


def age_s(name: str = "redis") -> float | None:
    """Return how long ago `name` ("redis", "default", "replica") last answered; None: not yet."""
    return _pulse.age_s(name)


def hurry(name: str = "redis") -> None:
    """Let the next beat with `name` come at once: there is news for others. Waits for nothing."""
    _pulse.hurry(name)


def fleet_size() -> int:
    """Return how many processes beat; 1 while Redis is away."""
    return _fleet.size


def process_name() -> str:
    """Return this process's name in the fleet; a forked child has another."""
    return _fleet.process


def wait_for_turn(name: str, *, after: float = -1.0, limit_s: float) -> bool:
    """Wait until `name` was tried in a beat begun after `after` (monotonic seconds); tell whether it was."""
    ensure_running()
    return _pulse.wait_for_turn(name, after=after, limit_s=limit_s)


def stop() -> None:
    """End the thread and its connections; whoever needs it next starts another."""
    global _pulse
    _pulse.stop()
    _pulse = _new()


def _begin_anew() -> None:
    """In a forked child, the parent's thread does not run, and its connections are the parent's."""
    global _pulse
    _inherited.append(_pulse)
    _pulse = _new()
    for member in _members:
        member.forget()


os.register_at_fork(after_in_child=_begin_anew)
atexit.register(stop)
