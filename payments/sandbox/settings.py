"""What the command line sets, and `POST /_config` may change."""

from dataclasses import dataclass

WEBHOOK_SECRET_DEFAULT = "whsec_sandbox"  # noqa: S105  public on purpose
# Stripe knows two at most: the new one, and the one that ends within a day.
WEBHOOK_SECRETS_MAX = 2


@dataclass
class Settings:
    """`latency_ms` is spent half before a request is carried out, half before its answer leaves.

    Each of `webhook_secrets` signs each delivery, as at Stripe while a secret is being replaced.
    `webhook_events` are the types that are told; None means all.
    """

    secret_key: str
    latency_ms: float = 0.0
    key_retention_s: float = 24 * 3600.0
    webhook_url: str | None = None
    webhook_secrets: tuple[str, ...] = (WEBHOOK_SECRET_DEFAULT,)
    webhook_events: frozenset[str] | None = None
