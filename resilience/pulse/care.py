"""How the pulse calls its members: one tool's bug is not the end of all tools."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

from resilience.pulse.member import Member

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

# The same failure of the same tool is logged once in so long.
SILENT_S = 60.0
# When each failure was last logged (monotonic seconds); few kinds of few tools.
_logged_at: dict[tuple[str, str], float] = {}


def carefully(member: Member, act: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T | None:
    """Return what `act` does; log what it raises, so that one tool's bug is not the end of all tools."""
    try:
        return act(*arguments, **named)
    except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
        log_seldom("A tool failed on the pulse.", error, member=member.name)
        return None


def log_seldom(sentence: str, error: Exception, *, member: str) -> None:
    """Log what is likely to fail at each beat: the log is for other things as well."""
    failure = (member, type(error).__name__)
    if time.monotonic() - _logged_at.get(failure, -SILENT_S) >= SILENT_S:
        _logged_at[failure] = time.monotonic()
        logger.error(sentence, exc_info=error, extra={"member": member})


def give(member: Member, replies: Sequence[Any]) -> None:
    """Let `member` hear the replies to its commands, or that Redis refused one of them."""
    refusals = [reply for reply in replies if isinstance(reply, Exception)]
    if refusals:
        logger.debug(
            "Redis refused a command of the pulse.",
            extra={"member": member.name, "error": repr(refusals[0])},
        )
        carefully(member, member.miss_redis)
    else:
        carefully(member, member.hear, replies)
