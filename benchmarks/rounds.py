"""Rounds: every contender takes its turn in each, and the median of its turns counts.

A machine that gets slower meanwhile slows all of them, and a single bad round shows in nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks import meter
from benchmarks.contenders.base import Contender
from benchmarks.contenders.pgbench import CLIENTS, Script, replay, scripts
from benchmarks.contenders.recording import Recording
from benchmarks.drain import Figures, drain
from benchmarks.stage import Stage


@dataclass(frozen=True)
class Scale:
    """How much is measured. `share` is the part of a contender's full number of orders."""

    share: float
    rounds: int
    latencies_ms: Sequence[int]
    loop_clients: Sequence[int]
    loop_seconds: float

    def orders(self, full: int) -> int:
        return max(20, round(self.share * full))


@dataclass(frozen=True)
class Line:
    """The median figures of one contender at one latency, with the range of its rounds.

    `load_min` and `load_max` are of the whole machine when its turns began, earlier turns included.
    """

    name: str
    latency_ms: int
    orders: int
    per_s: float
    per_s_min: float
    per_s_max: float
    cpu_ms: dict[str, float]
    load_min: float
    load_max: float


Turn = Callable[[int], Figures]

# Orders of a full round of pgbench: about ten seconds.
_PGBENCH_ORDERS = 8000


def run_rounds(
    contenders: Sequence[Contender],
    *,
    recording: Recording,
    stage: Stage,
    scale: Scale,
    report: Callable[[str], None],
) -> list[Line]:
    """Measure pgbench and `contenders` in interleaved rounds; `report` hears of each turn."""
    turns: dict[str, Turn] = {
        script.name: _pgbench_turn(script, recording=recording, stage=stage, scale=scale, report=report)
        for script in scripts(recording)
    }
    for contender in contenders:
        turns[contender.name] = _turn(contender, stage=stage, scale=scale)
    seen: dict[tuple[str, int], list[Figures]] = {}
    for number in range(1, scale.rounds + 1):
        for latency_ms in scale.latencies_ms:
            for name, turn in turns.items():
                figures = turn(latency_ms)
                seen.setdefault((name, latency_ms), []).append(figures)
                report(f"round {number} of {scale.rounds}, {latency_ms} ms: {_in_words(name, figures)}")
    return [middle(name, latency_ms, figures) for (name, latency_ms), figures in seen.items()]


def _in_words(name: str, figures: Figures) -> str:
    cpu_ms = sum(figures.cpu_ms.values())
    return f"{name}: {figures.per_s:.0f} orders/s, {cpu_ms:.1f} ms CPU an order (load {figures.load:.1f})"


def middle(name: str, latency_ms: int, figures: Sequence[Figures]) -> Line:
    """Return the medians of `figures`."""
    rates = [one.per_s for one in figures]
    return Line(
        name=name,
        latency_ms=latency_ms,
        orders=figures[0].orders,
        per_s=median(rates),
        per_s_min=min(rates),
        per_s_max=max(rates),
        cpu_ms={
            group: median(one.cpu_ms[group] for one in figures)
            for group in (meter.ENGINE, meter.POSTGRES, meter.BROKER, meter.GATEWAY)
        },
        load_min=min(one.load for one in figures),
        load_max=max(one.load for one in figures),
    )


def _turn(contender: Contender, *, stage: Stage, scale: Scale) -> Turn:
    def turn(latency_ms: int) -> Figures:
        orders = scale.orders(contender.orders)
        return drain(contender, stage=stage, orders=orders, latency_ms=latency_ms)

    return turn


def _pgbench_turn(
    script: Script, *, recording: Recording, stage: Stage, scale: Scale, report: Callable[[str], None]
) -> Turn:
    """Return a turn with the best number of clients, which is searched for here."""
    orders = scale.orders(_PGBENCH_ORDERS)

    def run(clients: int, count: int, latency_ms: int) -> Figures:
        return replay(
            script, clients=clients, recording=recording, stage=stage, orders=count, latency_ms=latency_ms
        )

    best: dict[int, int] = {}
    for latency_ms in scale.latencies_ms:
        tried = {
            clients: run(clients, orders // 8, latency_ms).per_s
            for clients in CLIENTS[min(CLIENTS, key=lambda known: abs(known - latency_ms))]
        }
        best[latency_ms] = max(tried, key=lambda clients: tried[clients])
        report(f"{script.name} at {latency_ms} ms is fastest with {best[latency_ms]} clients")

    return lambda latency_ms: run(best[latency_ms], orders, latency_ms)
