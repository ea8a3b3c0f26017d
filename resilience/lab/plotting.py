"""Charts as PNG. The only module that imports matplotlib, and only the command imports it, when it plots.

A bare `Figure` draws with Agg, without a screen and without matplotlib's global state (pyplot).
"""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from resilience.lab.findings import Chart, ChartKind, Series

# 8 x 5 inches at 100 dots: readable in a page of documentation, and some 40 kB.
SIZE_INCHES = (8.0, 5.0)
DOTS_PER_INCH = 100
# Okabe and Ito's colours: told apart by the colour-blind, and on white paper (yellow is left out).
COLOURS = ("#999999", "#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
INK = "#222222"
FAINT = "#DDDDDD"


def write_png(chart: Chart, *, folder: Path) -> Path:
    """Draw `chart` into `folder` as NAME.png and return the path. The same chart gives the same bytes."""
    figure = Figure(figsize=SIZE_INCHES, dpi=DOTS_PER_INCH, layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    subjects = list(dict.fromkeys(_subject(series) for series in chart.series))
    for series in chart.series:
        _draw(axes, series, colour=COLOURS[subjects.index(_subject(series)) % len(COLOURS)])
    _scale(axes, chart)
    axes.set_title(f"{chart.title}\n", loc="left", fontsize=13, fontweight="bold", color=INK)
    axes.text(0.0, 1.02, chart.reading, transform=axes.transAxes, fontsize=10, color="#555555")
    axes.legend(frameon=False, fontsize=9, loc="best")
    axes.grid(visible=True, color=FAINT, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    path = folder / f"{chart.name}.png"
    # Without the program's name in it, the bytes depend on the chart alone.
    figure.savefig(path, metadata={"Software": None})
    return path


def _subject(series: Series) -> str:
    return series.subject or series.label


def _draw(axes: Axes, series: Series, *, colour: str) -> None:
    if series.kind is ChartKind.POINTS:
        axes.plot(series.x, series.y, "o", label=series.label, color=colour, markersize=5)
    elif series.kind is ChartKind.STEPS:
        axes.step(series.x, series.y, where="post", label=series.label, color=colour, linewidth=1.4)
    else:
        axes.plot(series.x, series.y, label=series.label, color=colour, linewidth=2.0)


def _scale(axes: Axes, chart: Chart) -> None:
    axes.set_xlabel(chart.x.label, color=INK)
    axes.set_ylabel(chart.y.label, color=INK)
    axes.set_xscale(chart.x.scale.value)
    axes.set_yscale(chart.y.scale.value)
    axes.xaxis.set_major_formatter(FuncFormatter(_plain))
    axes.yaxis.set_major_formatter(FuncFormatter(_plain))
    if chart.x.is_whole:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlim(left=chart.x.lowest)
    axes.set_ylim(bottom=chart.y.lowest)


def _plain(value: float, _position: int | None) -> str:
    """Write 1,000 where matplotlib writes a power of ten."""
    return f"{value:,.10g}"
