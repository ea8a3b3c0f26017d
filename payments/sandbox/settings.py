"""What the command line sets, and `POST /_config` may change."""

from dataclasses import dataclass

_TEN_YEARS_S = 10 * 365 * 86_400


@dataclass
class Settings:
    """How the gateway behaves. Changes meet what begins after them; the book keeps what was decided.

    `latency_ms` is spent half before a request is carried out, half before its answer leaves.
    `authorization_s` is in whole seconds, as the `capture_before` that it sets; Stripe keeps most card
    authorizations for seven days. `fee_bps` (hundredths of a percent) and `fee_fixed` (minor units of
    whatever currency) make the fee of a charge.
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


@dataclass(frozen=True)
class Limit:
    """The numbers that `POST /_config` takes for a setting."""

    most: float
    whole: bool = False


CONFIGURABLE = {
    "latency_ms": Limit(600_000),
    "key_retention_s": Limit(_TEN_YEARS_S),
    "authorization_s": Limit(_TEN_YEARS_S, whole=True),
    "boleto_pays_after_s": Limit(_TEN_YEARS_S),
    "boleto_clears_after_s": Limit(_TEN_YEARS_S),
    "boleto_expires_after_s": Limit(_TEN_YEARS_S),
    "dispute_after_s": Limit(_TEN_YEARS_S),
    "refund_clears_after_s": Limit(_TEN_YEARS_S),
    "fee_bps": Limit(10_000, whole=True),
    "fee_fixed": Limit(1_000_000, whole=True),
}
