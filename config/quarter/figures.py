"""Figures as texts that are equal when count and centavo are, and the table of them."""

from collections.abc import Iterable, Mapping, Sequence

Figures = Mapping[str, str]
# What a witness cannot know: a tally has no customers and no lines.
UNKNOWN = "–"


def money(count: int, minor: int) -> str:
    """Return how many, and how much (centavos) in reais."""
    return f"{count:,} · R$ {minor // 100:,}.{minor % 100:02}"


def number(count: int) -> str:
    return f"{count:,}"


def busiest(counts: Iterable[tuple[str, int]]) -> str:
    """Return the moment with the most; the first of several."""
    moment, count = min(counts, key=lambda one: (-one[1], one[0]), default=("never", 0))
    return f"{moment} · {count:,}"


def differences(witnesses: Mapping[str, Figures]) -> list[str]:
    """Return the names of the figures that are not the same for all who know them."""
    return [
        name
        for name in _names(witnesses)
        if len({figures.get(name, "none") for figures in witnesses.values()} - {UNKNOWN}) > 1
    ]


def table(witnesses: Mapping[str, Figures]) -> str:
    """Return a line for each figure, a column for each witness, and what differs marked."""
    wrong = set(differences(witnesses))
    rows: list[Sequence[str]] = [("", *witnesses, "")]
    for name in _names(witnesses):
        told = (figures.get(name, "none") for figures in witnesses.values())
        rows.append((name, *told, "DIFFERS" if name in wrong else "equal"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _names(witnesses: Mapping[str, Figures]) -> list[str]:
    return list(dict.fromkeys(name for figures in witnesses.values() for name in figures))
