"""A causality token: up to where in the primary's log a client has written.

`1-0/3A4B5C8` is timeline 1, log position 0/3A4B5C8. Clients treat it as opaque. It is not signed: a
forged one only chooses between the replica and the primary, which both hold the same facts.
"""

import re
from dataclasses import dataclass

from django.db import connections

from resilience.routing.databases import PRIMARY

_TEXT = re.compile(r"([1-9][0-9]{0,9})-(0|[1-9A-F][0-9A-F]{0,7})/(0|[1-9A-F][0-9A-F]{0,7})", re.ASCII)
_TIMELINE_MAX = 2**32 - 1
_POSITION_MAX = 2**64 - 1

# The insert position, not the flushed one: it is past our commit whatever synchronous_commit says.
# The timeline comes in the same statement, so that no promotion can fall between the two.
_CAPTURE = """
    SELECT ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::bigint,
           (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint
"""


class MalformedTokenError(ValueError):
    """The text is not a causality token in its one canonical spelling."""


@dataclass(frozen=True)
class CausalityToken:
    """A position (bytes since the beginning of the log) on a timeline (it grows at a promotion)."""

    timeline: int
    position: int

    def __str__(self) -> str:
        return f"{self.timeline}-{self.position >> 32:X}/{self.position & 0xFFFFFFFF:X}"


# No replica ever replays this far: whoever shows it reads the primary.
NEVER_REPLAYED = CausalityToken(timeline=1, position=_POSITION_MAX)


def parse_token(text: str) -> CausalityToken:
    """Return the token that `text` spells. Raises MalformedTokenError for anything else."""
    match = _TEXT.fullmatch(text)
    if match is None or int(match[1]) > _TIMELINE_MAX:
        raise MalformedTokenError("not a causality token")
    return CausalityToken(timeline=int(match[1]), position=int(match[2], 16) << 32 | int(match[3], 16))


def capture_token() -> CausalityToken:
    """Ask the primary where its log ends now; at or past everything committed before this call.

    One short query. Call it after the commit. Raises django.db.Error when the primary is away.
    """
    with connections[PRIMARY].cursor() as cursor:
        cursor.execute(_CAPTURE)
        timeline, position = cursor.fetchone()
    return CausalityToken(timeline=timeline, position=position)
