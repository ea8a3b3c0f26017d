"""What an experiment found, as data: the command prints and plots it, the dashboard draws the same.

Nothing here knows a plotting library: a chart is its numbers and how to read them.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

Cell = str | float


class ChartKind(StrEnum):
    """How the points of a series are joined."""

    LINE = "line"
    STEPS = "steps"
    POINTS = "points"


class Scale(StrEnum):
    """How an axis counts."""

    LINEAR = "linear"
    LOG = "log"


@dataclass(frozen=True)
class Series:
    """One curve. `x` and `y` are equally long; series of one `subject` are drawn in one colour."""

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    kind: ChartKind = ChartKind.LINE
    subject: str = ""


@dataclass(frozen=True)
class Axis:
    """What an axis counts, with its unit, and how; it begins at `lowest`, None: where the points do."""

    label: str
    scale: Scale = Scale.LINEAR
    lowest: float | None = None
    is_whole: bool = False


@dataclass(frozen=True)
class Chart:
    """One picture: `name` is its file's, `reading` is the one sentence that it is drawn for."""

    name: str
    title: str
    reading: str
    x: Axis
    y: Axis
    series: tuple[Series, ...]


@dataclass(frozen=True)
class Table:
    """Figures in rows; every row has a cell per column, and a column says its unit."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Finding:
    """One run of one experiment: the same seed and settings give the same finding, to the last digit."""

    experiment: str
    seed: int
    settings: dict[str, float]
    tables: tuple[Table, ...]
    charts: tuple[Chart, ...]


def as_json(finding: Finding) -> str:
    """Return the finding as one JSON object, keys in the order of the fields above."""
    return json.dumps(asdict(finding), indent=1, allow_nan=False)


def as_text(finding: Finding) -> str:
    """Return the tables with aligned columns, and what each chart shows."""
    parts = [f"{finding.experiment}, seed {finding.seed}"]
    parts += [f"{table.title}\n{_aligned(table)}" for table in finding.tables]
    parts += [f"{chart.title}: {chart.reading}" for chart in finding.charts]
    return "\n\n".join(parts)


def _aligned(table: Table) -> str:
    columns = [
        (name, *written(column))
        for name, column in zip(table.columns, zip(*table.rows, strict=True), strict=True)
    ]
    widths = [max(map(len, column)) for column in columns]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in zip(*columns, strict=True)
    )


def written(column: Sequence[Cell]) -> list[str]:
    """Write the numbers of a column alike: with as many digits as its largest needs."""
    numbers = [cell for cell in column if not isinstance(cell, str)]
    is_whole = all(number == int(number) for number in numbers)
    largest = max(map(abs, numbers), default=0.0)
    digits = (
        0 if is_whole else next((d for limit, d in ((10, 3), (1000, 2), (10000, 1)) if largest < limit), 0)
    )
    return [cell if isinstance(cell, str) else f"{cell:,.{digits}f}" for cell in column]
