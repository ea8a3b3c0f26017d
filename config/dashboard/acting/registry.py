"""All acts, by name."""

from config.dashboard.acting import events, gamedays, machinery, orders, people, sagas
from config.dashboard.acting.act import Act

_MODULES = (sagas, orders, machinery, events, gamedays, people)
ACTS: dict[str, Act] = {act.name: act for module in _MODULES for act in module.ACTS}
