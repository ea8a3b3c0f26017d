"""Celery: a message may be lost or doubled, never acknowledged early, never waited for without limit."""

from collections.abc import Sequence
from importlib.metadata import version

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, register

from resilience.checks.rules import Rule, broken, is_positive

# Before 5.7 a worker could stay alive and stop consuming after Redis restarted (kombu #2492, #2548).
_VERSION_MIN = (5, 7)


def _setting(name: str) -> object:
    return getattr(settings, f"CELERY_{name}", None)


def _transport(option: str) -> object:
    return getattr(settings, "CELERY_BROKER_TRANSPORT_OPTIONS", {}).get(option)


def _is_recent(package: str) -> bool:
    major, minor = version(package).split(".")[:2]
    return (int(major), int(minor)) >= _VERSION_MIN


def _outlives_every_task(visibility_timeout_s: object) -> bool:
    task_limit_s = _setting("TASK_TIME_LIMIT")
    return (
        is_positive(visibility_timeout_s)
        and is_positive(task_limit_s)
        and float(visibility_timeout_s) > float(task_limit_s)  # type: ignore[arg-type]
    )


_RULES = (
    Rule(
        id="holdfast.E001",
        holds=lambda: _setting("TASK_ACKS_LATE") is True,
        danger="Celery acknowledges a message before its task ran: a worker that dies loses it.",
        remedy="Set CELERY_TASK_ACKS_LATE = True.",
    ),
    Rule(
        id="holdfast.E002",
        holds=lambda: _setting("TASK_REJECT_ON_WORKER_LOST") is True,
        danger="Celery acknowledges a message whose worker was killed.",
        remedy="Set CELERY_TASK_REJECT_ON_WORKER_LOST = True.",
    ),
    Rule(
        id="holdfast.E003",
        holds=lambda: _setting("TASK_SERIALIZER") == "json" and _setting("ACCEPT_CONTENT") == ["json"],
        danger="Celery reads or writes something other than JSON: pickle runs whatever a message says.",
        remedy='Set CELERY_TASK_SERIALIZER = "json" and CELERY_ACCEPT_CONTENT = ["json"].',
    ),
    Rule(
        id="holdfast.E004",
        holds=lambda: _setting("WORKER_PREFETCH_MULTIPLIER") == 1,
        danger="A worker hoards messages: they wait behind a slow task while another worker is idle.",
        remedy="Set CELERY_WORKER_PREFETCH_MULTIPLIER = 1.",
    ),
    Rule(
        id="holdfast.E005",
        holds=lambda: _outlives_every_task(_transport("visibility_timeout")),
        danger="Redis may deliver a message again while its task runs, or never again after a crash.",
        remedy="Set a finite CELERY_TASK_TIME_LIMIT, and a finite visibility_timeout above it.",
    ),
    Rule(
        id="holdfast.E006",
        holds=lambda: _is_recent("celery") and _is_recent("kombu"),
        danger="This Celery or kombu may stop consuming after Redis restarts.",
        remedy="Install celery >= 5.7 and kombu >= 5.7.",
    ),
    Rule(
        id="holdfast.E007",
        holds=lambda: _setting("TASK_IGNORE_RESULT") is True and not _setting("RESULT_BACKEND"),
        danger="Celery keeps results: they cost a write per task, and can turn a success into a failure.",
        remedy="Set CELERY_TASK_IGNORE_RESULT = True, without a CELERY_RESULT_BACKEND.",
    ),
    Rule(
        id="holdfast.E008",
        holds=lambda: (
            is_positive(_transport("socket_timeout")) and is_positive(_transport("socket_connect_timeout"))
        ),
        danger="A broker that accepts and never answers holds its caller without end.",
        remedy="Set socket_timeout and socket_connect_timeout in CELERY_BROKER_TRANSPORT_OPTIONS.",
    ),
)


@register
def check_broker(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """Check how Celery delivers (holdfast.E001 to E008)."""
    return broken(_RULES)
