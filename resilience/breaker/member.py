"""All breakers of this process on the pulse: one script in Redis, and one question about forced states."""

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from redis.asyncio.client import Pipeline

from resilience import pulse
from resilience.breaker.forced import Override
from resilience.breaker.moves import Moves
from resilience.breaker.registry import Registry
from resilience.breaker.states import Force
from resilience.breaker.telling import has_proposal, report_of
from resilience.breaker.wire import SCRIPT, read, written
from resilience.pulse import Member, Query

# A fleet that was not heard of for this long is gone on without; four beats.
ALONE_AFTER_S = 1.0

# Tiny, so that it is compared whole; NULL while it is what is known.
# None when the version is the one that is known (migration 0016).
_OVERRIDES = "SELECT resilience_breaker_overrides(%s)"


class Breakers(Member):
    """Takes part in each beat for every breaker of `registry`."""

    name = "breakers"

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._version = ""
        self._heard_at = time.monotonic()
        self._moves = Moves()

    def queue(self, pipeline: Pipeline) -> None:
        """Tell what happened here, ask what happened everywhere."""
        now = time.monotonic()
        reports = [report_of(circuit, now=now) for circuit in self._registry.all()]
        told = [report for report in reports if report is not None]
        if told:
            pipeline.eval(SCRIPT, 0, pulse.process_name(), written(told))

    def hear(self, replies: Sequence[Any]) -> None:
        """Give each breaker what the fleet knows, and beat again at once where it should move."""
        self._heard_at = now = time.monotonic()
        verdicts = read(replies[0])
        is_urgent = False
        for circuit in self._registry.all():
            verdict = verdicts.get(circuit.name)
            if verdict is not None:
                circuit.hear(verdict, now)
                is_urgent = has_proposal(circuit, now=now) or is_urgent
        if is_urgent:
            pulse.hurry()

    def miss_redis(self) -> None:
        """Let each breaker go on by itself."""
        now = time.monotonic()
        if now - self._heard_at > ALONE_AFTER_S:
            for circuit in self._registry.all():
                circuit.go_alone(now)

    def question(self, alias: str) -> Query | None:
        """Ask what people have forced, unless it is what is known."""
        return Query(_OVERRIDES, (self._version,)) if alias == "default" else None

    def answer(self, alias: str, value: Any, asked_at: float) -> None:
        """Let it count. While the database is away, the last known counts on, until it ends."""
        if value is None:
            return
        found = json.loads(value)
        overrides = {
            row["name"]: Override(
                Force(row["state"]), row["owner"], row["reason"], asked_at + row["until"] - found["now"]
            )
            for row in found["overrides"]
        }
        self._registry.take_overrides(overrides)
        self._version = found["version"]

    def write(self) -> Query | None:
        """Return the transitions that are not written yet."""
        offset = timedelta(seconds=time.monotonic())
        boot = datetime.now(UTC) - offset
        for circuit in self._registry.all():
            for move in circuit.take_moves():
                self._moves.add(circuit.name, move, boot + timedelta(seconds=move.at))
        return self._moves.statement(pulse.process_name())

    def written(self) -> None:
        """Forget what is written."""
        self._moves.forget_written()

    def forget(self) -> None:
        """Begin anew in a forked child."""
        self._registry.forget()
        self._version = ""
        self._heard_at = time.monotonic()
        self._moves = Moves()
