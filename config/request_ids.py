"""The id of a request: the caller's, if it is safe to write down, else a new one."""

import re

from resilience.ids import new_id

# A caller's own id goes into logs and answers, so it may hold nothing that means something there.
_SAFE = re.compile(r"[0-9A-Za-z._-]{1,128}")


def request_id_of(sent: str) -> str:
    """Return `sent`, or a new id if it is none."""
    return sent if _SAFE.fullmatch(sent) else str(new_id())
