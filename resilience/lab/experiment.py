"""An experiment: a question, what can be turned, and a function from settings and seed to a finding."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from random import Random
from typing import Any, Protocol

from resilience.lab.findings import Chart, Finding, Table
from resilience.lab.sliders import Slider, settings_from, sliders_of


class Observe(Protocol):
    """Run the simulation; everything random comes from generators of `seed`."""

    def __call__(self, settings: Any, *, seed: int) -> tuple[tuple[Table, ...], tuple[Chart, ...]]: ...


@dataclass(frozen=True)
class Experiment:
    """`settings` is a frozen dataclass of sliders; `observe` takes one and a seed; `title` heads its page."""

    name: str
    title: str
    question: str
    settings: type[Any]
    observe: Observe

    @property
    def sliders(self) -> tuple[Slider, ...]:
        """What can be turned."""
        return sliders_of(self.settings)

    def run(self, *, values: Mapping[str, float], seed: int) -> Finding:
        """Return what was found; raises SliderUnknown or SliderOutOfBounds before anything is run."""
        settings = settings_from(self.settings, values)
        tables, charts = self.observe(settings, seed=seed)
        return Finding(self.name, seed, asdict(settings), tables, charts)


def random_for(seed: int, *names: str | int) -> Random:
    """Return a generator of its own for one run, so that what one run draws moves no other."""
    return Random("/".join(str(name) for name in (seed, *names)))
