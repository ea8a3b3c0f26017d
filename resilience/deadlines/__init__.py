"""Until when somebody waits for what is being done: carried along, and looked at before each wait.

The danger: work goes on for a caller who has left, and takes the place of work that somebody waits for.
"""

from resilience.deadlines.deadline import (
    Deadline,
    DeadlineExceeded,
    begin,
    bounded_s,
    current,
    end,
    patience_s,
    refuse_if_over,
    remaining_s,
    within,
)

__all__ = [
    "Deadline",
    "DeadlineExceeded",
    "begin",
    "bounded_s",
    "current",
    "end",
    "patience_s",
    "refuse_if_over",
    "remaining_s",
    "within",
]
