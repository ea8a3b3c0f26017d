"""What must not be written down, taken out of whatever is logged.

The danger: an exception's own words quote the header, the address or the row that it failed on. So it is not
enough to log only what was meant: every text of a line is searched for what secrets look like, for the
secrets of this installation themselves, and for card numbers.
"""

import re
from collections.abc import Iterator, Mapping, MutableMapping
from functools import cache
from typing import Any
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from resilience.rest.card_numbers import may_hold_card_number, without_card_numbers

REDACTED = "[redacted]"
# Fields whose value is a secret, whatever it looks like. `idempotency_key` and the like are none.
_SECRET_FIELD = re.compile(
    r"authorization|cookie|password|passwd|secret|api_?key|access_?token|bearer|credential|private_?key"
    r"|card_?number|\bcv[cv]2?\b|\bpan\b|\btoken\b",
    re.IGNORECASE,
)
# Each with the part in front of the secret kept, where it has one.
_SECRETS = re.compile(
    r"(?P<kept>\b(?:Bearer|Basic)\s+)[A-Za-z0-9._~+/=-]{8,}"
    r"|(?P<field>\b(?:authorization|cookie|password|secret|api_?key|access_token)[\"']?\s*[:=]\s*[\"']?)"
    r"(?:(?:Bearer|Basic)\s+)?[^\s\"',;}&]+"
    r"|\bhf_[0-9a-f]{12}_[0-9a-f]{64}"
    r"|\b(?:sk|rk|pk)_(?:test|live)_[A-Za-z0-9]+"
    r"|\bwhsec_[A-Za-z0-9+/=]+"
    r"|\b(?:pi|seti)_[A-Za-z0-9]+_secret_[A-Za-z0-9]+"
    r"|\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"
    r"|(?P<scheme>://[^/\s:@]*:)[^/\s@]+(?=@)",
    re.IGNORECASE,
)
# Shorter ones are words, and would be taken out of sentences.
_SECRET_CHARACTERS_MIN = 8
# A line is one record, not a document: what is longer is cut, and deeper is not looked at.
_TEXT_CHARACTERS_MAX = 20_000
_DEPTH_MAX = 6


def redact(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take secrets out of `line`; a processor of structlog."""
    return {name: _clean(name, value, _DEPTH_MAX) for name, value in line.items()}


def without_secrets(text: str) -> str:
    """Return `text` with `REDACTED` in the place of each secret in it."""
    text = text[:_TEXT_CHARACTERS_MAX]
    known = _known()
    if known is not None:
        text = known.sub(REDACTED, text)
    text = _SECRETS.sub(_kept, text)
    return without_card_numbers(text, instead=REDACTED) if may_hold_card_number(text) else text


def _clean(name: str, value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value if value is None or not _SECRET_FIELD.search(name) else REDACTED
    if _SECRET_FIELD.search(name):
        return REDACTED
    if isinstance(value, str):
        return without_secrets(value)
    if depth == 0:
        return REDACTED
    if isinstance(value, Mapping):
        return {without_secrets(str(key)): _clean(str(key), inner, depth - 1) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean("", inner, depth - 1) for inner in value]
    return without_secrets(str(value))


def _kept(found: re.Match[str]) -> str:
    before = found["kept"] or found["field"] or found["scheme"] or ""
    return before + REDACTED


@cache
def _known() -> re.Pattern[str] | None:
    """Return what finds the secrets of these settings; None without settings, as in gunicorn's master."""
    try:
        secrets = {secret for secret in _configured() if len(secret) >= _SECRET_CHARACTERS_MIN}
    except ImproperlyConfigured:
        return None
    return re.compile("|".join(map(re.escape, sorted(secrets, key=len, reverse=True)))) if secrets else None


def _configured() -> Iterator[str]:
    yield from (settings.SECRET_KEY, settings.METRICS_TOKEN)
    for account in settings.GATEWAYS:
        yield str(account.get("secret_key", ""))
        yield from map(str, account.get("webhook_secrets") or ())
    for url in (settings.PRIMARY_URL, settings.REPLICA_URL, settings.REDIS_URL):
        yield from _as_written_and_as_used(urlsplit(url).password or "")
    # Dashboard and reports may have roles of their own.
    for database in settings.DATABASES.values():
        yield from _as_written_and_as_used(str(database.get("PASSWORD") or ""))


def _as_written_and_as_used(password: str) -> tuple[str, str]:
    return password, unquote(password)
