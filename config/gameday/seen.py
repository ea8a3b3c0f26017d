"""What was seen in a run, and the figures that expectations ask for. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from config.replay.report import percentile

# A client that waited this long has gone elsewhere: what comes later is no good put.
GOOD_WITHIN_S = 2.0
_OK = range(200, 300)
# Names of samples that say that the platform called a part reduced (`/healthz`).
REDUCED = "reduced "


@dataclass(frozen=True)
class Window:
    """From `begin_s` to `end_s`, in seconds after the load began."""

    begin_s: float
    end_s: float

    @property
    def seconds(self) -> float:
        """Return how long it is."""
        return self.end_s - self.begin_s

    def holds(self, at_s: float) -> bool:
        """Tell whether a time lies in it."""
        return self.begin_s <= at_s < self.end_s


@dataclass(frozen=True)
class Request:
    """One request. `latency_s` counts from when it was due; status 0: no answer."""

    kind: str
    due_s: float
    latency_s: float
    status: int

    @property
    def is_ok(self) -> bool:
        """Tell whether it got what it asked for."""
        return self.status in _OK


@dataclass(frozen=True)
class Sample:
    """What was looked at beside the requests, at one time: figures by name."""

    at_s: float
    values: Mapping[str, float]


@dataclass(frozen=True)
class Capacity:
    """What the stack did at most in this run, before the fault: per second."""

    accepted_per_s: float
    settled_per_s: float


@dataclass(frozen=True)
class Calls:
    """Calls at the gateways in a time: all, and those that began something new (first use of a key)."""

    all: int
    needed: int

    @property
    def per_needed(self) -> float | None:
        """Return calls for each that was needed."""
        return self.all / self.needed if self.needed else None


@dataclass
class Seen:
    """All that is known about a run once it is over."""

    steady: Window
    fault: Window
    after: Window
    requests: Sequence[Request] = ()
    samples: Sequence[Sample] = ()
    capacity: Capacity | None = None
    # Orders that were acknowledged with 201, by what became of them: confirmed, …, missing.
    orders: Mapping[str, int] = field(default_factory=dict)
    unanswered: int = 0
    calls_steady: Calls | None = None
    calls_all: Calls | None = None
    refused_connects: float | None = None
    # After the end of the fault, until no more orders were open than in the steady state.
    drained_s: float | None = None
    backlog: float | None = None
    restarted: Mapping[str, int] = field(default_factory=dict)
    facts: Mapping[str, object] = field(default_factory=dict)
    audit: Mapping[str, Any] = field(default_factory=dict)

    def of(self, kind: str, window: Window) -> list[Request]:
        """Return the requests of a kind that were due in a window."""
        return [one for one in self.requests if one.kind == kind and window.holds(one.due_s)]

    def latency_ms(self, kind: str, window: Window, per_cent: int) -> float | None:
        """Return a percentile over all that were due in the window, answered or not."""
        latencies = sorted(one.latency_s for one in self.of(kind, window))
        return percentile(latencies, per_cent) * 1000 if latencies else None

    def failures(self, kind: str, window: Window) -> int:
        """Count what did not get what it asked for."""
        return sum(not one.is_ok for one in self.of(kind, window))

    def goodput_per_s(self, window: Window) -> float:
        """Return orders per second that were accepted while their client still waited."""
        good = sum(one.is_ok and one.latency_s <= GOOD_WITHIN_S for one in self.of("POST", window))
        return good / window.seconds

    def writes_again_after_s(self) -> float | None:
        """Return from the fault until the first accepted order of those due after the last that failed.

        0 when none failed, None when the last one did.
        """
        posts = sorted(
            (one for one in self.requests if one.kind == "POST" and one.due_s >= self.fault.begin_s),
            key=lambda one: one.due_s,
        )
        failed = [place for place, one in enumerate(posts) if not one.is_ok]
        if not failed:
            return 0.0
        if failed[-1] + 1 == len(posts):
            return None
        first_good = posts[failed[-1] + 1]
        return first_good.due_s + first_good.latency_s - self.fault.begin_s

    def series(self, name: str) -> list[tuple[float, float]]:
        """Return a sampled figure over time."""
        return [(one.at_s, one.values[name]) for one in self.samples if name in one.values]

    def reduced(self) -> dict[str, tuple[float, float]]:
        """Return each part that the platform itself called reduced since the fault: first and last time."""
        spans: dict[str, tuple[float, float]] = {}
        for one in self.samples:
            for name in one.values:
                if name.startswith(REDUCED) and one.at_s >= self.fault.begin_s:
                    part = name.removeprefix(REDUCED)
                    spans[part] = (spans.get(part, (one.at_s, 0.0))[0], one.at_s)
        return spans

    def amplification(self) -> float | None:
        """Return calls at the gateways per needed one, over the whole run, in units of the steady state.

        Attempts that were refused before they reached a gateway count as calls.
        """
        steady, everything = self.calls_steady, self.calls_all
        if steady is None or everything is None or not steady.per_needed or not everything.needed:
            return None
        calls = everything.all + (self.refused_connects or 0.0)
        return calls / everything.needed / steady.per_needed

    @property
    def whole(self) -> Window:
        """From the first request to the end of the load."""
        return Window(0.0, self.after.end_s)
