"""The gateway accounts of this process, by name, from `settings.GATEWAYS`.

The danger: a connection shared over a fork carries two processes' requests. So nothing is opened
here: an adapter is built at its first use, and its pool drops what it inherited (gateways/http.py).
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from django.conf import settings

from payments.gateways.base import Gateway
from payments.gateways.errors import UnknownGatewayError
from payments.gateways.measured import MeasuredGateway
from payments.gateways.routing import Account, read_account
from payments.gateways.stripe import StripeGateway

# Module state, because the connections that it holds belong to the process.
_gateways: dict[str, Gateway] = {}


def gateway(name: str) -> Gateway:
    """Return the one adapter of this process for the account `name`. Raises UnknownGatewayError."""
    try:
        return _gateways[name]
    except KeyError:
        # Building opens nothing, so that threads may race without a lock (which a fork could copy
        # while it is held): one adapter too many is built, and the first one stays.
        return _gateways.setdefault(name, _adapter(_account(name)))


def gateway_names() -> list[str]:
    """Return the names of the configured accounts, in the order of the settings."""
    return [account["name"] for account in settings.GATEWAYS]


@cache
def accounts() -> list[Account]:
    """Return what each configured account takes, in the order of the settings; read once a process."""
    return [read_account(setting) for setting in settings.GATEWAYS]


def webhook_secrets(name: str) -> tuple[str, ...]:
    """Return the secrets that notices of account `name` may be signed with; none when there is none.

    Anything but a list of texts counts as none: the letters of one text would be secrets of one letter.
    Raises UnknownGatewayError.
    """
    secrets = _account(name).get("webhook_secrets")
    if not isinstance(secrets, list):
        return ()
    return tuple(secret for secret in secrets if isinstance(secret, str) and secret)


def install(adapter: Gateway) -> None:
    """Let `adapter` answer under its name, configured or not; for tests, until `reset`."""
    _gateways[adapter.name] = adapter


def reset() -> None:
    """Forget every adapter, so that the next use reads the settings again."""
    _gateways.clear()
    accounts.cache_clear()


def _account(name: str) -> Mapping[str, Any]:
    for account in settings.GATEWAYS:
        if account["name"] == name:
            return dict(account)
    raise UnknownGatewayError("this gateway account is not in HOLDFAST_GATEWAYS; add it", name=name)


def _adapter(account: Mapping[str, Any]) -> Gateway:
    return MeasuredGateway(
        StripeGateway(
            name=account["name"],
            secret_key=account["secret_key"],
            url=account.get("url"),
            return_url=account.get("return_url", ""),
        )
    )
