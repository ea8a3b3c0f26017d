"""The settings of an experiment as fields of a form. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from config.dashboard.lab.asked import SEED, number
from resilience.lab import Experiment, Slider


@dataclass(frozen=True)
class Field:
    """One setting as it is shown. Numbers are texts that a browser reads as the very same ones.

    `step` is "any" for what does not count something. `is_slider`: a position between the bounds tells more
    than the number.
    """

    name: str
    label: str
    help: str
    unit: str
    lowest: str
    highest: str
    step: str
    value: str
    is_slider: bool
    is_wrong: bool


def fields_of(experiment: Experiment, told: Mapping[str, str], *, wrong: object = None) -> list[Field]:
    """Return all fields, the seed last, with what was told or else the defaults; `wrong` is one's name."""
    return [
        *(_field(slider, told, wrong, is_slider=True) for slider in experiment.sliders),
        _field(SEED, told, wrong, is_slider=False),
    ]


def _field(slider: Slider, told: Mapping[str, str], wrong: object, *, is_slider: bool) -> Field:
    lowest, highest = number(slider.lowest), number(slider.highest)
    unit = f" {slider.unit}" if slider.unit else ""
    # Its unit stands beside it already.
    name = slider.name.removesuffix("_s") if slider.unit == "s" else slider.name
    return Field(
        name=slider.name,
        label=name.replace("_", " "),
        help=f"{slider.meaning}; from {lowest} to {highest}{unit}",
        unit=slider.unit,
        lowest=lowest,
        highest=highest,
        step="1" if slider.is_whole else "any",
        value=told.get(slider.name, number(slider.default)),
        is_slider=is_slider,
        is_wrong=slider.name == wrong,
    )
