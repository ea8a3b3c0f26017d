"""What can be turned in an experiment: a field of its settings, with bounds.

The same declaration is an option of `manage.py lab` and a slider of the dashboard.
A bound keeps a run at minutes at most, and the figures inside what the model can say.
"""

from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, TypeVar

from resilience.errors import Refusal

Number = TypeVar("Number", int, float)
SettingsT = TypeVar("SettingsT")

_KEY = "slider"


class SliderOutOfBounds(Refusal):
    """A setting of an experiment is outside what the experiment can say anything about."""

    code = "slider_out_of_bounds"


class SliderUnknown(Refusal):
    """An experiment has no setting of this name."""

    code = "slider_unknown"


@dataclass(frozen=True)
class Slider:
    """One setting: its bounds (both allowed), its unit ("" for a plain count or share), and what it means."""

    name: str
    default: float
    lowest: float
    highest: float
    unit: str
    meaning: str

    @property
    def is_whole(self) -> bool:
        """Whether it counts something."""
        return isinstance(self.default, int)

    def check(self, value: float) -> None:
        """Raise SliderOutOfBounds unless `value` lies within; not-a-number never does."""
        if not self.lowest <= value <= self.highest:
            unit = f" {self.unit}" if self.unit else ""
            raise SliderOutOfBounds(
                f"{self.name} must be from {self.lowest:g} to {self.highest:g}{unit}, and is {value:g}.",
                name=self.name,
                value=value,
            )


def slider(default: Number, *, lowest: Number, highest: Number, meaning: str, unit: str = "") -> Number:
    """Declare a field of a settings dataclass as a slider; its type is the default's."""
    metadata = {_KEY: (lowest, highest, unit, meaning)}
    declared: Any = field(default=default, metadata=metadata)
    return declared


def sliders_of(settings: Any) -> tuple[Slider, ...]:
    """Return the sliders of a settings class (or of one such object), in the order of its fields."""
    return tuple(_slider(declared) for declared in fields(settings) if _KEY in declared.metadata)


def check_bounds(settings: Any) -> None:
    """Raise SliderOutOfBounds for the first field outside its bounds; for a settings' `__post_init__`."""
    for each in sliders_of(settings):
        each.check(getattr(settings, each.name))


def settings_from(kind: type[SettingsT], values: Mapping[str, float]) -> SettingsT:
    """Return settings with these values, the rest as declared; raises SliderUnknown, SliderOutOfBounds."""
    names = [each.name for each in sliders_of(kind)]
    for name in values:
        if name not in names:
            raise SliderUnknown(f"There is no setting {name!r}; there are {', '.join(names)}.", name=name)
    return kind(**values)


def _slider(declared: Field[Any]) -> Slider:
    lowest, highest, unit, meaning = declared.metadata[_KEY]
    default: Any = declared.default
    return Slider(declared.name, default, lowest, highest, unit, meaning)
