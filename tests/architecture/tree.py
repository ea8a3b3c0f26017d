"""The source of the platform as syntax trees, for rules that imports cannot show."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
ROOMS = ("config", "analytics", "orders", "payments", "resilience")


@dataclass(frozen=True)
class Source:
    """One file. `name` is its path inside the repository."""

    name: str
    text: str
    tree: ast.Module

    @property
    def room(self) -> str:
        return self.name.partition("/")[0]

    @property
    def module(self) -> str:
        """Its name as Python imports it."""
        return self.name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def text_of(self, line: int) -> str:
        """Return one line, counted from 1."""
        return self.lines[line - 1]

    @cached_property
    def lines(self) -> list[str]:
        return self.text.split("\n")


@cache
def sources(*folders: str) -> tuple[Source, ...]:
    """Return every file of these folders, migrations excepted: Django writes those."""
    return tuple(_read(*folders))


def source_of(name: str, text: str) -> Source:
    """Return a file that does not exist, to let a rule be seen to fail."""
    return Source(name, text, ast.parse(text))


def _read(*folders: str) -> Iterator[Source]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "migrations" not in path.parts:
                yield source_of(path.relative_to(ROOT).as_posix(), path.read_text())
