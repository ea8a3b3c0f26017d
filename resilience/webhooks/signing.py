"""Signatures as Standard Webhooks has them: over id, time and body, one per valid secret."""

import secrets
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime

from standardwebhooks import Webhook

# A secret that was replaced: {"secret": …, "until": RFC 3339}.
Old = dict[str, str]

_PREFIX = "whsec_"
# Standard Webhooks asks for 24 to 64 random bytes.
_SECRET_BYTES = 32


def new_secret() -> str:
    """Return a fresh secret as receivers' libraries take it: `whsec_` and base64."""
    return _PREFIX + b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def replaced(secret: str, before: Sequence[Old], *, until: datetime, now: datetime) -> list[Old]:
    """Return the secrets that still sign once `secret` is replaced, the newest first, itself until then."""
    return [{"secret": secret, "until": until.isoformat()}, *still_valid(before, now=now)]


def still_valid(before: Sequence[Old], *, now: datetime) -> list[Old]:
    """Return those of the replaced secrets that still sign."""
    return [old for old in before if datetime.fromisoformat(old["until"]) > now]


def signed_headers(*, message_id: str, body: str, valid: Sequence[str], at: datetime) -> dict[str, str]:
    """Return the three headers; during a rotation there is a signature for each of the secrets in `valid`."""
    signatures = [Webhook(secret).sign(message_id, at, body) for secret in valid]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
