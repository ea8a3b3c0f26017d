"""Seeded simulations of what the toolkit does and what would happen without it; no clock, no I/O.

`experiments()` is all of them by name; `Experiment.run(values=, seed=)` gives a `Finding`: tables and charts
as plain data, which `manage.py lab` prints and plots and the dashboard draws.
"""

from resilience.lab.availability import AVAILABILITY
from resilience.lab.backoff import BACKOFF
from resilience.lab.breaker import BREAKER
from resilience.lab.cache import CACHE
from resilience.lab.experiment import Experiment
from resilience.lab.findings import Chart, Finding, Series, Table
from resilience.lab.sliders import Slider, SliderOutOfBounds, SliderUnknown

_EXPERIMENTS = {experiment.name: experiment for experiment in (BACKOFF, AVAILABILITY, BREAKER, CACHE)}

__all__ = [
    "Chart",
    "Experiment",
    "Finding",
    "Series",
    "Slider",
    "SliderOutOfBounds",
    "SliderUnknown",
    "Table",
    "experiments",
]


def experiments() -> dict[str, Experiment]:
    """Return all experiments by name, in the order in which they are shown."""
    return dict(_EXPERIMENTS)
