"""All acts, by name."""

from config.dashboard.acting import events, machinery, orders, sagas
from config.dashboard.acting.act import Act

ACTS: dict[str, Act] = {act.name: act for act in (*sagas.ACTS, *orders.ACTS, *machinery.ACTS, *events.ACTS)}
