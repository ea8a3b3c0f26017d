"""All acts, by name."""

from config.dashboard.acting import events, gamedays, machinery, orders, sagas
from config.dashboard.acting.act import Act

_MODULES = (sagas, orders, machinery, events, gamedays)
ACTS: dict[str, Act] = {act.name: act for module in _MODULES for act in module.ACTS}
