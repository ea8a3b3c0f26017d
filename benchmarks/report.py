"""The figures as Markdown tables, and the page that explains them (docs/benchmarks.md)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from benchmarks import meter
from benchmarks.closed_loop import Loop, percentile
from benchmarks.machine import Machine
from benchmarks.rounds import Line
from benchmarks.statements import Cost

_PAGE = Path(__file__).with_name("page.md")
_GROUPS = (meter.ENGINE, meter.POSTGRES, meter.BROKER, meter.GATEWAY)


@dataclass(frozen=True)
class Result:
    """All that one run of the benchmark found."""

    command: str
    began_at: datetime
    machine: Machine
    rounds: int
    does: Mapping[str, str]
    lines: Sequence[Line]
    sandbox: Line
    costs: Mapping[str, Cost]
    loops: Mapping[int, Sequence[Loop]]


def tables(result: Result, *, ours: str, baseline: str) -> str:
    """Return the tables. Ratios say how many times as fast `ours` is as each line; 1.0 is equal."""
    latencies = sorted({line.latency_ms for line in result.lines})
    parts = [
        f"### Backlog drained, gateway answers after {latency_ms} ms\n\n"
        + _drained([line for line in result.lines if line.latency_ms == latency_ms], result, ours, baseline)
        for latency_ms in latencies
    ]
    parts.append("### Closed loop over HTTP\n\n" + _loops(result.loops))
    return "\n\n".join(parts)


def _drained(lines: Sequence[Line], result: Result, ours: str, baseline: str) -> str:
    own = next(line for line in lines if line.name == ours)
    base = next(line for line in lines if line.name == baseline)
    shown = [*lines, *([result.sandbox] if result.sandbox.latency_ms == own.latency_ms else [])]
    head = ["contender", "orders", "orders/s", "(min–max)", f"of {baseline}", f"{ours} is"]
    head += [f"CPU ms: {group}" for group in _GROUPS] + ["CPU ms: all", "statements", "commits"]
    rows = []
    for line in shown:
        cost = result.costs.get(line.name)
        rows.append(
            [
                line.name,
                f"{line.orders:,}",
                f"**{line.per_s:,.0f}**",
                f"{line.per_s_min:,.0f}–{line.per_s_max:,.0f}",
                f"{100 * line.per_s / base.per_s:.0f} %",
                "" if line.name.startswith(ours) else f"{own.per_s / line.per_s:.1f} ×",
                *(f"{line.cpu_ms[group]:.2f}" for group in _GROUPS),
                f"{sum(line.cpu_ms.values()):.2f}",
                f"{cost.statements:.1f}" if cost else "",
                f"{cost.commits:.2f}" if cost else "",
            ]
        )
    return _table(head, rows)


def _loops(loops: Mapping[int, Sequence[Loop]]) -> str:
    head = ["gateway", "clients", "orders", "orders/s", "POST p50", "POST p99", "settled p50", "settled p99"]
    rows = [
        [
            f"{latency_ms} ms",
            str(loop.clients),
            f"{loop.orders:,}",
            f"**{loop.per_s:,.0f}**",
            *(
                f"{percentile(values, percent):,.0f} ms"
                for values in (loop.post_ms, loop.settle_ms)
                for percent in (50, 99)
            ),
        ]
        for latency_ms, of_latency in sorted(loops.items())
        for loop in of_latency
    ]
    return _table(head, rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def page(result: Result, *, ours: str, baseline: str) -> str:
    """Return the whole page."""
    does = "\n".join(f"- **{name}**: {text}." for name, text in result.does.items())
    return _PAGE.read_text().format(
        tables=tables(result, ours=ours, baseline=baseline),
        does=does,
        command=result.command,
        began_at=result.began_at.strftime("%Y-%m-%d %H:%M UTC"),
        machine=result.machine,
        rounds=result.rounds,
        load_min=min(line.load_min for line in result.lines),
        load_max=max(line.load_max for line in result.lines),
    )
