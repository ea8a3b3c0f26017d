"""What the SDK does beside a call: nothing that costs time, and nothing that lands in a log."""

import logging

import pytest

from payments.gateways.base import Capture
from payments.gateways.stripe import StripeGateway
from tests.unit.scripted_gateway import ScriptedGateway, answer

PAYER = "ada@example.com"


def test_no_word_of_a_call_is_logged_however_loud_the_log(caplog: pytest.LogCaptureFixture):
    body = {"id": "pi_1", "object": "payment_intent", "status": "succeeded", "receipt_email": PAYER}
    caplog.set_level(logging.DEBUG, logger="stripe")
    with ScriptedGateway([answer(body)]) as server:
        gateway = StripeGateway(name="one", secret_key="sk_test_secret", url=server.url)
        gateway.send(Capture("capture-1", "pi_1", 1299, "EUR"))

    # The SDK has said something, which shows that it would have told; but there is no word in it.
    said = [record.getMessage() for record in caplog.records if record.name == "stripe"]
    assert said
    assert set(said) == {""}
