"""Stored answers: kept for as long as clients were promised, and pruned."""

from collections.abc import Sequence
from datetime import timedelta

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, register

from resilience.checks.rules import Rule, broken
from resilience.idempotency import store

# docs/api.md: a request may be sent again for this long.
PROMISED = timedelta(hours=24)
_PRUNE = "resilience.idempotency.prune"

_RULES = (
    Rule(
        id="holdfast.E011",
        holds=lambda: store.KEPT >= PROMISED,
        danger="An answer is forgotten while its client may still send the request again: it is done twice.",
        remedy="Set KEPT (resilience/idempotency/store.py) to 24 hours or more.",
    ),
    Rule(
        id="holdfast.E012",
        holds=lambda: any(entry["task"] == _PRUNE for entry in settings.CELERY_BEAT_SCHEDULE.values()),
        danger="Stored answers are never deleted: the table of the busiest insert grows without end.",
        remedy=f"Schedule {_PRUNE} in CELERY_BEAT_SCHEDULE.",
    ),
)


@register()
def check_idempotency(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """Check how long answers are kept (holdfast.E011, E012)."""
    return broken(_RULES)
