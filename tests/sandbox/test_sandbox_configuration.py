"""`/_config`: what can be set, and that nothing changes when part of it cannot be."""

import pytest

SETTINGS = {
    "latency_ms": 0,
    "key_retention_s": 86_400,
    "authorization_s": 604_800,
    "boleto_pays_after_s": 3.0,
    "boleto_clears_after_s": 1.0,
    "boleto_expires_after_s": 259_200.0,
    "dispute_after_s": 1.0,
    "refund_clears_after_s": 3.0,
    "fee_bps": 0,
    "fee_fixed": 0,
    "webhook_url": None,
    "webhook_secrets": ["whsec_sandbox"],
    "webhook_events": None,
}


def test_the_settings_are_shown_as_they_are(gateway):
    assert gateway.http.get("/_config").json().items() >= SETTINGS.items()


def test_a_setting_changes_and_the_others_stay(gateway):
    before = gateway.http.get("/_config").json()

    changed = gateway.configure(key_retention_s=5)

    assert changed == {**before, "key_retention_s": 5}


@pytest.mark.parametrize(
    "wrong",
    [
        {"latency_ms": -1},
        {"latency_ms": True},
        {"latency_ms": "1"},
        {"key_retention_s": None},
        {"authorization_s": 1.5},
        {"fee_bps": 10_001},
        {"dispute_after_s": -1},
        {"webhook_url": "ftp://example.com"},
        {"webhook_url": "http://"},
        {"webhook_url": "http://[::1"},
        {"webhook_url": 7},
        {"webhook_secrets": []},
        {"webhook_secrets": ["a", "b", "c"]},
        {"webhook_secrets": "whsec"},
        {"webhook_secrets": [""]},
        {"webhook_events": "charge.succeeded"},
        {"webhook_events": [1]},
        {"secret_key": "sk_test_other"},
    ],
)
def test_what_cannot_be_is_refused_and_nothing_changes(gateway, wrong):
    before = gateway.http.get("/_config").json()

    answer = gateway.http.post("/_config", json={"key_retention_s": 7, **wrong})

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] in wrong
    assert gateway.http.get("/_config").json() == before
