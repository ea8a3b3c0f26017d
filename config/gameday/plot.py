"""One picture of a game day: latency, answers that were not good, and open orders, over time."""

from collections import Counter
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot

from config.gameday.run import Outcome
from config.gameday.seen import Seen
from config.replay.report import percentile

_COLOURS = {"POST": "#1f77b4", "GET": "#2ca02c", "livez": "#999999"}
_MILLISECONDS = 1000.0


def plot(outcome: Outcome, *, path: Path) -> None:
    """Draw it as a PNG."""
    seen = outcome.seen
    figure, (latency, errors, orders) = pyplot.subplots(3, 1, sharex=True, figsize=(10, 8))
    for kind, colour in _COLOURS.items():
        _draw_latency(latency, seen, kind, colour)
    latency.set_yscale("log")
    latency.set_ylabel("p99 of each second, ms")
    latency.legend(loc="upper right", fontsize="small")
    for kind in ("POST", "GET"):
        counts = Counter(int(one.due_s) for one in seen.requests if one.kind == kind and not one.is_ok)
        seconds = range(int(seen.whole.end_s) + 1)
        errors.step(
            seconds, [counts[second] for second in seconds], where="post", color=_COLOURS[kind], label=kind
        )
    errors.set_ylabel("not ok, per second")
    errors.set_ylim(bottom=0)
    errors.legend(loc="upper right", fontsize="small")
    points = seen.series("open")
    orders.plot([at_s for at_s, _ in points], [value for _, value in points], color="#d62728")
    orders.set_ylabel("open orders")
    orders.set_xlabel("seconds")
    for axes in (latency, errors, orders):
        axes.axvspan(seen.fault.begin_s, seen.fault.end_s, color="#ffbb78", alpha=0.4, lw=0)
        axes.grid(visible=True, alpha=0.3)
    figure.suptitle(f"{outcome.scenario.name} ({outcome.verdict}): {outcome.scenario.title}", fontsize=10)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _draw_latency(axes: pyplot.Axes, seen: Seen, kind: str, colour: str) -> None:
    by_second: dict[int, list[float]] = {}
    for one in seen.requests:
        if one.kind == kind:
            by_second.setdefault(int(one.due_s), []).append(one.latency_s)
    seconds = sorted(by_second)
    values = [percentile(by_second[second], 99) * _MILLISECONDS for second in seconds]
    axes.plot(seconds, values, color=colour, label=kind, lw=1.2)
