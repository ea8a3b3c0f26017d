"""What is handy in a working copy and a hole in production (HOLDFAST_PRODUCTION)."""

from collections.abc import Iterator, Sequence

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register

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
    """Refuse in production what only a working copy may have (holdfast.E030 to E032).

    Warn of accounts whose notices are all turned away (holdfast.W033): payments are still polled.
    """
    return [*broken(_RULES), *_accounts_unheard()] if settings.PRODUCTION else []


def _accounts_unheard() -> Iterator[CheckMessage]:
    for account in settings.GATEWAYS:
        secrets = account.get("webhook_secrets")
        if not (isinstance(secrets, list) and secrets and all(map(_is_secret, secrets))):
            yield Warning(
                f"The gateway account {account['name']!r} has no usable webhook secret: what it tells"
                " by itself is turned away, and noticed only when it is asked.",
                hint='Give it "webhook_secrets" in HOLDFAST_GATEWAYS: a list of texts, none of them empty.',
                id="holdfast.W033",
            )


def _is_secret(value: object) -> bool:
    return isinstance(value, str) and value != ""
