"""Facts that stand in the database, asked for every ten seconds by one kind of process (the dispatcher).

Every process would ask the same. Where several dispatchers run, each asks, and the last word holds.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from resilience import pulse
from resilience.pulse import Member, Query
from resilience.telemetry.declared import Kind, metric_of
from resilience.telemetry.memory import gauges

# Like a slot. A gauge that was not set for a minute is no longer told: six missed questions.
INTERVAL_S = 10.0


@dataclass(frozen=True)
class Sample:
    """A gauge and the scalar expression that says where it stands; cheap, for it is asked for ever.

    The expression gives a number, or for a gauge with a `label` a JSON object of numbers by its values.
    `parameters` are those of its `%s`, asked for anew each time.
    """

    gauge: str
    sql: str
    label: str = ""
    alias: str = "default"
    parameters: Callable[[], tuple[Any, ...]] = tuple


class _Asker(Member):
    """One sample on the pulse: a member of its own, so that one whose table is missing silences no other."""

    def __init__(self, sample: Sample) -> None:
        self.name = f"sample of {sample.gauge}"
        self._sample = sample
        self._next_at = 0.0

    def question(self, alias: str) -> Query | None:
        """Ask when it is time to."""
        if not _is_asking or alias != self._sample.alias or time.monotonic() < self._next_at:
            return None
        self._next_at = time.monotonic() + INTERVAL_S
        return Query(self._sample.sql, self._sample.parameters())

    def answer(self, alias: str, value: Any, asked_at: float) -> None:
        """Set the gauge."""
        if not self._sample.label:
            _set(self._sample.gauge, {}, value)
            return
        found = json.loads(value) if isinstance(value, str) else value
        for labelled, number in (found or {}).items():
            _set(self._sample.gauge, {self._sample.label: labelled}, number)


def _set(name: str, labels: dict[str, object], value: Any) -> None:
    if value is not None:
        gauges.find((name, *labels.items()), name, labels).set(float(value))


_is_asking = False


def sample(*samples: Sample) -> None:
    """Let the processes that ask for samples ask for these; at import, beside the gauges' declarations."""
    for one in samples:
        metric_of(one.gauge, Kind.GAUGE, (one.label,) if one.label else ())
        pulse.join(_Asker(one))


def begin_sampling() -> None:
    """Let this process ask, from now on."""
    global _is_asking
    _is_asking = True
