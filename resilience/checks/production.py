"""What is handy in a working copy and a hole in production (HOLDFAST_PRODUCTION)."""

from collections.abc import Sequence

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Tags, register

from resilience.checks.rules import Rule, broken

_RULES = (
    Rule(
        id="holdfast.E030",
        holds=lambda: not settings.SECRET_KEY.startswith("insecure-"),
        danger="The secret key is the published one: anybody can sign in as anybody.",
        remedy="Set HOLDFAST_SECRET_KEY to a long random text.",
    ),
    Rule(
        id="holdfast.E031",
        holds=lambda: not settings.CRASHPOINTS,
        danger="Crash points can be armed: they end the process in the middle of a payment.",
        remedy="Set CRASHPOINTS = False.",
    ),
    Rule(
        id="holdfast.E032",
        holds=lambda: bool(settings.GATEWAYS),
        danger="There is no gateway account: every order is accepted and none can be paid.",
        remedy="Set HOLDFAST_GATEWAYS to a list of accounts.",
    ),
)


@register(Tags.security)
def check_production(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """Refuse in production what only a working copy may have (holdfast.E030 to E032)."""
    return broken(_RULES) if settings.PRODUCTION else []
