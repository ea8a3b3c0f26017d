"""`/_config`: what of the settings can change while the sandbox runs, and within which limits."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from .errors import invalid
from .settings import WEBHOOK_SECRETS_MAX, Settings

LATENCY_MS_MAX = 600_000
# Ten years: longer than any run, and far from where a time overflows.
WAIT_S_MAX = 10 * 365 * 86_400
FEE_BPS_MAX = 10_000
FEE_FIXED_MAX = 1_000_000
TEXT_MAX = 2_000
EVENT_TYPES_MAX = 100


def change_settings(settings: Settings, body: dict[str, Any]) -> None:
    """Set what `body` (the JSON of `POST /_config`) names, all of it or nothing. Raises ApiError."""
    changes = {}
    for name, value in body.items():
        read = _READERS.get(name)
        if read is None:
            raise invalid(f"Received unknown parameter: {name}", param=name, code="parameter_unknown")
        try:
            changes[name] = read(value)
        except ValueError as error:
            raise invalid(f"Invalid {name}: must be {error}", param=name) from None
    for name, value in changes.items():
        setattr(settings, name, value)


def show_settings(settings: Settings) -> dict[str, Any]:
    """Return what can be changed, as it is now."""
    shown = {name: getattr(settings, name) for name in _READERS}
    events = settings.webhook_events
    return {**shown, "webhook_events": None if events is None else sorted(events)}


def _number(most: float) -> Callable[[Any], float]:
    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
            raise ValueError(f"a number from 0 to {most}")
        return value

    return read


def _whole(most: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if type(value) is not int or not 0 <= value <= most:
            raise ValueError(f"a whole number from 0 to {most}")
        return value

    return read


def _url(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > TEXT_MAX:
        raise ValueError("an http address, or null")
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("an http address, or null")
    return value


def _secrets(value: Any) -> tuple[str, ...]:
    if not _is_texts(value) or not 1 <= len(value) <= WEBHOOK_SECRETS_MAX:
        raise ValueError(f"a list of 1 to {WEBHOOK_SECRETS_MAX} texts")
    return tuple(value)


def _event_types(value: Any) -> frozenset[str] | None:
    if value is None:
        return None
    if not _is_texts(value) or len(value) > EVENT_TYPES_MAX:
        raise ValueError(f"a list of at most {EVENT_TYPES_MAX} event types, or null for all")
    return frozenset(value)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(item, str) and 0 < len(item) <= TEXT_MAX for item in value
    )


_READERS: dict[str, Callable[[Any], Any]] = {
    "latency_ms": _number(LATENCY_MS_MAX),
    "key_retention_s": _number(WAIT_S_MAX),
    "authorization_s": _whole(WAIT_S_MAX),
    "boleto_pays_after_s": _number(WAIT_S_MAX),
    "boleto_clears_after_s": _number(WAIT_S_MAX),
    "boleto_expires_after_s": _number(WAIT_S_MAX),
    "dispute_after_s": _number(WAIT_S_MAX),
    "refund_clears_after_s": _number(WAIT_S_MAX),
    "fee_bps": _whole(FEE_BPS_MAX),
    "fee_fixed": _whole(FEE_FIXED_MAX),
    "webhook_url": _url,
    "webhook_secrets": _secrets,
    "webhook_events": _event_types,
}
