"""Whether a gateway's notice is genuine: Stripe's signature scheme over the raw bytes.

The danger: whoever can make us believe a notice can make us look where we would not, and a check that
raises is a 500 that the gateway repeats for days. So every header and every body gets a verdict, and
text is compared as bytes: `hmac.compare_digest` raises for text that is not ASCII, and `int` reads
`1_000` and Arabic digits.
"""

import hmac
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

# Stripe's own tolerance. Both ways: a signature from the future could be replayed until then.
TOLERANCE_S = 300
# Ten times what Stripe sends while two secrets overlap; what is longer is not read.
HEADER_CHARS_MAX = 4096
# Each is compared with one MAC per secret; Stripe sends one per active secret.
SIGNATURES_MAX = 16
# Seconds have ten digits until the year 2286.
_TIME_DIGITS_MAX = 12


class Verdict(StrEnum):
    """What a signature is worth; only GENUINE is."""

    GENUINE = "genuine"
    NOT_SET_UP = "not_set_up"
    MALFORMED = "malformed"
    TOO_OLD = "too_old"
    IN_THE_FUTURE = "in_the_future"
    FOREIGN = "foreign"


def judge_signature(*, header: str, body: bytes, secrets: Sequence[str], now: datetime) -> Verdict:
    """Return the verdict on `Stripe-Signature: t=…,v1=…[,v1=…]`; never raises.

    Any of `secrets` may fit any of the first `SIGNATURES_MAX` v1 entries: that is how a secret is rotated.
    An empty secret is none, because anybody can sign with it.
    """
    usable = [secret for secret in secrets if secret]
    if not usable:
        return Verdict.NOT_SET_UP
    signed_at, signatures = _read(header)
    if signed_at is None or not signatures:
        return Verdict.MALFORMED
    age_s = now.timestamp() - int(signed_at)
    if age_s > TOLERANCE_S:
        return Verdict.TOO_OLD
    if age_s < -TOLERANCE_S:
        return Verdict.IN_THE_FUTURE
    signed = f"{signed_at}.".encode() + body
    macs = [hmac.digest(_raw(secret), signed, "sha256").hex().encode() for secret in usable]
    # A list, not a generator: all of them are compared, so the time tells nothing of which one fits.
    fits = [hmac.compare_digest(mac, _raw(signature)) for mac in macs for signature in signatures]
    return Verdict.GENUINE if any(fits) else Verdict.FOREIGN


def _read(header: str) -> tuple[str | None, list[str]]:
    """Return the time as it was signed, None without exactly one that is readable, and the v1 entries."""
    if len(header) > HEADER_CHARS_MAX:
        return None, []
    entries = [entry.partition("=") for entry in header.split(",")]
    times = [value for scheme, _, value in entries if scheme == "t"]
    signatures = [value for scheme, _, value in entries if scheme == "v1" and value]
    if len(times) != 1 or not _is_time(times[0]):
        return None, []
    return times[0], signatures[:SIGNATURES_MAX]


def _is_time(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _TIME_DIGITS_MAX


def _raw(text: str) -> bytes:
    return text.encode(errors="replace")
