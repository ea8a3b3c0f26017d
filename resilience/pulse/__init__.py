"""The pulse: one thread a process that keeps what the tools know fresh, four times a second.

The danger: a tool that asks Redis or PostgreSQL within a request adds their waits to it, and dies with
them. So requests read memory; the pulse brings it up to date, in one Redis pipeline and one small query,
and each tool has a way to go on alone while a part is away (docs/pulse.md).
"""

from resilience.pulse.member import Member, Query
from resilience.pulse.process import (
    age_s,
    ensure_running,
    fleet_size,
    hurry,
    join,
    leave,
    process_name,
    stop,
    wait_for_turn,
)
from resilience.pulse.pulse import INTERVAL_S

__all__ = [
    "INTERVAL_S",
    "Member",
    "Query",
    "age_s",
    "ensure_running",
    "fleet_size",
    "hurry",
    "join",
    "leave",
    "process_name",
    "stop",
    "wait_for_turn",
]
