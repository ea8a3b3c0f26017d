"""What the command line sets, and `POST /_config` may change."""

from dataclasses import dataclass

WEBHOOK_SECRET_DEFAULT = "whsec_sandbox"  # noqa: S105  public on purpose
# Stripe knows two at most: the new one, and the one that ends within a day.
WEBHOOK_SECRETS_MAX = 2


@dataclass
class Settings:
    """How the gateway behaves. Changes meet what begins after them; the book keeps what was decided.

    `latency_ms` is spent half before a request is carried out, half before its answer leaves.
    `authorization_s` is in whole seconds, as the `capture_before` that it sets; Stripe keeps most card
    authorizations for seven days. `fee_bps` (hundredths of a percent) and `fee_fixed` (minor units of
    whatever currency) make the fee of a charge.
    Each of `webhook_secrets` signs each delivery, as at Stripe while a secret is being replaced.
    `webhook_events` are the types that are told; None means all.
    """

    secret_key: str
    latency_ms: float = 0.0
    key_retention_s: float = 24 * 3600.0
    authorization_s: int = 7 * 24 * 3600
    boleto_pays_after_s: float = 3.0
    boleto_clears_after_s: float = 1.0
    boleto_expires_after_s: float = 3 * 24 * 3600.0
    dispute_after_s: float = 1.0
    refund_clears_after_s: float = 3.0
    fee_bps: int = 0
    fee_fixed: int = 0
    webhook_url: str | None = None
    webhook_secrets: tuple[str, ...] = (WEBHOOK_SECRET_DEFAULT,)
    webhook_events: frozenset[str] | None = None
