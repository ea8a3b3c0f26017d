"""What an address asks the lab for. Pure: the same address is the same run, wherever it is sent."""

import math
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from config.dashboard.lab.errors import SettingNotANumber
from resilience.lab import Experiment, Slider
from resilience.lab.sliders import settings_from

# The command takes any; a million are enough to see that a figure is no accident.
SEED = Slider("seed", 1, 0, 999_999, "", "chance begins here: the same seed, the same figures")
# No number within any bounds is longer, and the digits of a longer one are not worth reading.
TEXT_MAX = 30


@dataclass(frozen=True)
class Asked:
    """One run: every setting of its experiment, also those left at their default, and the seed.

    Equal ones have the same finding, so that it is the key under which one is kept.
    """

    experiment: str
    settings: tuple[tuple[str, float], ...]
    seed: int

    @property
    def command(self) -> str:
        """Return the command line that finds the same."""
        options = [
            word
            for name, value in (*self.settings, (SEED.name, self.seed))
            for word in (f"--{name.replace('_', '-')}", number(value))
        ]
        return shlex.join(["manage.py", "lab", self.experiment, *options])


def asked_of(experiment: Experiment, told: Mapping[str, str]) -> Asked:
    """Return what the settings in an address ask for; whatever is not told has its default.

    Raises SettingNotANumber, SliderUnknown, SliderOutOfBounds.
    """
    sliders = {slider.name: slider for slider in experiment.sliders}
    texts = dict(told)
    seed = _read(SEED, texts.pop(SEED.name, number(SEED.default)))
    SEED.check(seed)
    values = {
        # A name that is unknown is refused below, whatever it was to be.
        name: _read(sliders[name], text) if name in sliders else math.nan
        for name, text in texts.items()
    }
    settings = asdict(settings_from(experiment.settings, values))
    return Asked(experiment.name, tuple(settings.items()), int(seed))


def number(value: float) -> str:
    """Write a number so that reading it gives the very same one: 200, 0.995."""
    return repr(value).removesuffix(".0")


def _read(slider: Slider, text: str) -> float:
    kind = int if slider.is_whole else float
    try:
        if len(text) <= TEXT_MAX:
            return kind(text)
    except ValueError:
        pass
    what = "a whole number" if slider.is_whole else "a number"
    raise SettingNotANumber(
        f"{slider.name} must be {what}, and is {text[:TEXT_MAX]!r}.", name=slider.name, text=text
    )
