"""What the command line sets, and `POST /_config` may change."""

from dataclasses import dataclass


@dataclass
class Settings:
    """`latency_ms` is spent half before a request is carried out, half before its answer leaves."""

    secret_key: str
    latency_ms: float = 0.0
    key_retention_s: float = 24 * 3600.0
