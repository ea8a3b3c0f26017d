"""Flags and kill switches that work when everything else does not (docs/flags.md)."""

from resilience.flags.declaration import Declaration, Flag, Sample, Switch, bucket_of, declared
from resilience.flags.exposures import Exposure
from resilience.flags.guard import Guard
from resilience.flags.memory import current, pinned

__all__ = [
    "Declaration",
    "Exposure",
    "Flag",
    "Guard",
    "Sample",
    "Switch",
    "bucket_of",
    "current",
    "declared",
    "pinned",
]
