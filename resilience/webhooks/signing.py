"""Signatures as Standard Webhooks has them: over id, time and body, one per valid secret."""

import secrets
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime

from standardwebhooks import Webhook

_PREFIX = "whsec_"
# Standard Webhooks asks for 24 to 64 random bytes.
_SECRET_BYTES = 32


def new_secret() -> str:
    """Return a fresh secret as receivers' libraries take it: `whsec_` and base64."""
    return _PREFIX + b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signed_headers(*, message_id: str, body: str, valid: Sequence[str], at: datetime) -> dict[str, str]:
    """Return the three headers; during a rotation there is a signature for each of the secrets in `valid`."""
    signatures = [Webhook(secret).sign(message_id, at, body) for secret in valid]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
