"""Who calls: `Authorization: Bearer hf_…`, and nothing else."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from resilience import clock
from resilience.apikeys.cache import known_keys
from resilience.apikeys.keys import KEY_PATTERN, is_live, secret_matches
from resilience.apikeys.models import ApiKey
from resilience.errors import Refusal

REALM = 'Bearer realm="holdfast"'
# Names under which keys are put into addresses, and our keys themselves under any name.
_KEY_IN_URL = re.compile(
    r"(?:^|&)(?:api_?key|access_token|authorization)=|hf(?:_|%5f)[0-9a-f]{12}(?:_|%5f)", re.I
)


class ApiKeyInUrl(Refusal):
    """The key is in the address, which proxies and browsers write down; replace that key."""

    code = "api_key_in_url"


@dataclass(frozen=True)
class Principal:
    """Who calls, and what the key allows."""

    client: str
    key_id: UUID
    permissions: frozenset[str]

    @property
    def is_authenticated(self) -> bool:
        """DRF and Django ask."""
        return True


class ApiKeyAuthentication(BaseAuthentication):
    """Set `request.user` to a Principal and `request.auth` to its ApiKey."""

    def authenticate(self, request: Request) -> tuple[Principal, ApiKey] | None:
        """Return who calls, or None without an Authorization header.

        Raises AuthenticationFailed, the same for an unknown, wrong, expired or revoked key, and ApiKeyInUrl.
        """
        if _KEY_IN_URL.search(request.META.get("QUERY_STRING", "")):
            raise ApiKeyInUrl(
                "Send the key in the Authorization header only, and replace this one: it leaked."
            )
        header = request.META.get("HTTP_AUTHORIZATION")
        if header is None:
            return None
        key = _live_key(header)
        if key is None:
            raise AuthenticationFailed("The API key is not valid.", "api_key_invalid")
        return _principal_of(key), key

    def authenticate_header(self, request: Request) -> str:
        """Return the WWW-Authenticate challenge that makes DRF answer 401."""
        return REALM


def caller_shown(meta: Mapping[str, Any]) -> tuple[Principal, ApiKey] | None:
    """Return who calls and by which key, from WSGI's variables; None for all whom the API would refuse.

    For answers given before the REST framework, which says why it refuses.
    """
    header = meta.get("HTTP_AUTHORIZATION")
    if header is None or _KEY_IN_URL.search(meta.get("QUERY_STRING", "")):
        return None
    key = _live_key(header)
    return None if key is None else (_principal_of(key), key)


def principal_of(request: Request) -> Principal:
    """Return who calls, in a view that HasPermission has let pass."""
    return cast("Principal", request.user)


def _principal_of(key: ApiKey) -> Principal:
    return Principal(key.client, key.pk, frozenset(key.permissions))


def _live_key(header: str) -> ApiKey | None:
    scheme, _, credentials = header.partition(" ")
    shown = KEY_PATTERN.fullmatch(credentials)
    if scheme.lower() != "bearer" or shown is None:
        return None
    prefix, secret = shown.groups()
    key = known_keys.find(prefix)
    if key is None or not secret_matches(key, secret) or not is_live(key, now=clock.now()):
        return None
    return key
