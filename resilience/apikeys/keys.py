"""Issue and revoke API keys; know one when it is shown.

A key reads `hf_<prefix>_<secret>`. The prefix finds the row and may be logged; the secret is shown once.
"""

import hashlib
import hmac
import math
import re
import secrets
from collections.abc import Iterable
from datetime import datetime

from resilience.apikeys.models import ApiKey

PREFIX_BYTES = 6
SECRET_BYTES = 32
KEY_PATTERN = re.compile(r"hf_([0-9a-f]{12})_([0-9a-f]{64})")
_CLIENT = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_PERMISSION = re.compile(r"[a-z_]+\.[a-z_]+")


def issue_key(
    *, client: str, name: str, permissions: Iterable[str], now: datetime, expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """Store a new key and return it with its plain text, which cannot be had again.

    Raises ValueError for a client that is not a slug or a permission not written `thing.action`.
    """
    plaintext = f"hf_{secrets.token_hex(PREFIX_BYTES)}_{secrets.token_hex(SECRET_BYTES)}"
    key = store_key(
        plaintext, client=client, name=name, permissions=permissions, now=now, expires_at=expires_at
    )
    return key, plaintext


def store_key(
    plaintext: str,
    *,
    client: str,
    name: str,
    permissions: Iterable[str],
    now: datetime,
    expires_at: datetime | None = None,
) -> ApiKey:
    """Store a key that was made elsewhere; a known one gets the name and permissions given here.

    Raises ValueError for text that is not a key, a client that is not a slug, a permission not
    written `thing.action`.
    """
    shown = KEY_PATTERN.fullmatch(plaintext)
    if shown is None:
        raise ValueError("This is not an API key; write it like hf_<12 hex digits>_<64 hex digits>.")
    granted = sorted(set(permissions))
    if _CLIENT.fullmatch(client) is None:
        raise ValueError(f"{client!r} is not a slug of lower-case letters, digits and dashes.")
    if wrong := [permission for permission in granted if _PERMISSION.fullmatch(permission) is None]:
        raise ValueError(f"{wrong} are not permissions; write them like orders.read.")
    key, _ = ApiKey.objects.update_or_create(
        prefix=shown[1],
        defaults={
            "client": client,
            "name": name,
            "secret_sha256": _digest(shown[2]),
            "permissions": granted,
            "expires_at": expires_at,
        },
        create_defaults={
            "client": client,
            "name": name,
            "secret_sha256": _digest(shown[2]),
            "permissions": granted,
            "created_at": now,
            "expires_at": expires_at,
        },
    )
    return key


def revoke_key(*, prefix: str, now: datetime) -> None:
    """Make a key useless from now on, in every process within KEY_CACHED_S; again is no error.

    Raises ApiKey.DoesNotExist for an unknown prefix.
    """
    if not ApiKey.objects.filter(prefix=prefix, revoked_at__isnull=True).update(revoked_at=now):
        ApiKey.objects.only("pk").get(prefix=prefix)


def limit_key(*, prefix: str, rate_per_s: float | None, burst: int | None) -> None:
    """Give a key a limit of its own, or with None for both that of the settings; counts within KEY_CACHED_S.

    Raises ApiKey.DoesNotExist for an unknown prefix, ValueError for a limit that is none.
    """
    if (rate_per_s is None) is not (burst is None):
        raise ValueError("a limit is both a rate and a burst, or neither")
    if rate_per_s is not None and burst is not None and not (0 < rate_per_s < math.inf and burst >= 1):
        raise ValueError(f"{rate_per_s} a second, {burst} at once lets nothing pass")
    if not ApiKey.objects.filter(prefix=prefix).update(rate_per_s=rate_per_s, burst=burst):
        ApiKey.objects.only("pk").get(prefix=prefix)


def secret_matches(key: ApiKey, secret: str) -> bool:
    """Compare in a time that does not depend on where the secrets differ."""
    return hmac.compare_digest(bytes(key.secret_sha256), _digest(secret))


def is_live(key: ApiKey, *, now: datetime) -> bool:
    """Tell whether the key is neither revoked nor expired."""
    return key.revoked_at is None and (key.expires_at is None or now < key.expires_at)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
