"""Error texts of ours, as a client may read them."""

import pytest

from resilience.rest.client_text import LENGTH_MAX, WITHHELD, client_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("insufficient_funds", "insufficient_funds"),
        ("no answer within 12 s", "no answer within 12 s"),
        ("payment_intents/confirm: 500", "payment_intents/confirm: 500"),
        ("GET https://api.stripe.com/v1/x?key=1 failed", "GET <address> failed"),
        ("connect to 10.0.0.7:5432 refused", "connect to <address> refused"),
        ("localhost:8001 is away", "<address> is away"),
        ("bad key sk_test_abc123", "bad key <secret>"),
        ("hf_0123456789ab_secret", "<secret>"),
        ("ask ops@example.com", "ask <e-mail>"),
        ("File /srv/app/x.py", "File <path>"),
        ("two\nlines\x00 and\ttabs", "two lines and tabs"),
        ("card 4242424242424242 declined", WITHHELD),
        ("card 4242 4242 4242 4242", WITHHELD),
        ("", ""),
    ],
)
def test_a_text_is_shown_without_what_is_only_ours(text: str, shown: str):
    assert client_text(text) == shown


def test_a_long_text_is_cut():
    assert client_text("x" * 10_000) == "x" * (LENGTH_MAX - 1) + "…"
