"""What people may see of a gateway's answer, and what must never get that far."""

import json

import pytest
import stripe

from payments.gateways.base import Absent, Authorize, Capture, NotSent
from payments.gateways.stripe_evidence import evidence_of, evidence_of_error
from tests.unit.scripted_gateway import ScriptedGateway, answer, hang_up
from tests.unit.stripe_objects import (
    ORDER,
    PAYMENT,
    SECRET_KEY,
    error,
    gateway,
    intent,
    page,
    refund,
)

AUTHORIZE = Authorize("key-1", ORDER, PAYMENT, 1299, "EUR", "pm_card_visa")
CAPTURE = Capture("key-2", "pi_1", 1299, "EUR")
HEARD = "Request-Id: req_1\r\nIdempotent-Replayed: true\r\n"
SECRETS = [
    SECRET_KEY,
    "pi_1_secret_x9",
    "Ada Lovelace",
    "ada@example.com",
    "4242424242424242",
    "4242 4242 4242 4242",
    "whsec_abc",
    "12 Analytical Street",
]
HOSTILE_WORDS = [*SECRETS, "x" * 101, "", "a b", "line\nbreak", "é", 7, None, ["pi_1"], {"id": "pi_1"}, True]


def hostile_intent():
    person = {
        "name": "Ada Lovelace",
        "email": "ada@example.com",
        "address": {"line1": "12 Analytical Street"},
    }
    return intent(
        client_secret="pi_1_secret_x9",
        receipt_email="ada@example.com",
        description="for Ada Lovelace",
        shipping=person,
        latest_charge={
            "id": "ch_1",
            "billing_details": person,
            "payment_method_details": {"card": {"fingerprint": "fingerprint-7", "last4": "4242"}},
        },
        metadata={"operation_key": "key-1", "note": "Ada Lovelace"},
    )


def test_the_evidence_of_a_payment_is_its_ids_its_state_and_its_amount():
    with ScriptedGateway([answer(hostile_intent(), headers=HEARD)]) as server:
        result = gateway(server.url).send(CAPTURE)

    assert result.evidence == {
        "http_status": 200,
        "request_id": "req_1",
        "replayed": True,
        "id": "pi_1",
        "object": "payment_intent",
        "status": "requires_capture",
        "currency": "eur",
        "amount": 1299,
        "amount_received": 0,
    }


def test_the_evidence_of_a_refusal_says_why():
    fields = {"code": "card_declined", "decline_code": "lost_card", "message": "Your card was declined."}
    reply = error(402, type="card_error", payment_intent=hostile_intent(), headers=HEARD, **fields)
    with ScriptedGateway([reply]) as server:
        result = gateway(server.url).send(AUTHORIZE)

    assert result.evidence == {
        "http_status": 402,
        "request_id": "req_1",
        "replayed": True,
        "id": "pi_1",
        "object": "payment_intent",
        "status": "requires_capture",
        "currency": "eur",
        "amount": 1299,
        "amount_received": 0,
        "error_type": "card_error",
        "error_code": "card_declined",
        "decline_code": "lost_card",
        "error_message": "Your card was declined.",
    }


def test_a_payment_that_failed_before_says_why():
    failed = intent(status="requires_payment_method", last_payment_error={"code": "expired_card"})

    assert evidence_of(failed, http_status=200, headers={})["error_code"] == "expired_card"


@pytest.mark.parametrize("field", ["id", "object", "status", "currency", "payment_intent", "failure_reason"])
@pytest.mark.parametrize("word", HOSTILE_WORDS, ids=range(len(HOSTILE_WORDS)))
def test_a_field_that_is_not_in_its_shape_is_left_out(field, word):
    assert evidence_of({field: word}, http_status=200, headers={}) == {"http_status": 200}


@pytest.mark.parametrize("number", ["1299", 12.0, True, None, [1]])
def test_an_amount_that_is_no_whole_number_is_left_out(number):
    assert evidence_of({"amount": number}, http_status=200, headers={}) == {"http_status": 200}


@pytest.mark.parametrize(
    "body", [None, [], "text", 7, {"last_payment_error": "no"}, {"last_payment_error": 1}]
)
def test_a_body_of_any_shape_has_evidence(body):
    assert evidence_of(body, http_status=502, headers={"Request-Id": "a b"}) == {"http_status": 502}


@pytest.mark.parametrize("secret", [secret for secret in SECRETS if " " not in secret or "4242" in secret])
def test_a_message_is_cut_and_repeats_no_secret(secret):
    fields = {"code": secret, "type": secret, "decline_code": secret, "message": f"No {secret}, {'x' * 999}"}
    with ScriptedGateway([error(400, **fields)]) as server:
        result = gateway(server.url).send(CAPTURE)

    shown = json.dumps(dict(result.evidence))
    assert secret not in shown
    assert len(result.evidence["error_message"]) == 200


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_of_our_credentials_is_not_quoted(status):
    with ScriptedGateway([error(status, message=f"Invalid key {SECRET_KEY}", type="invalid")]) as server:
        result = gateway(server.url).send(CAPTURE)

    assert isinstance(result, NotSent)
    assert result.evidence == {"http_status": status}


def test_what_brought_no_answer_has_no_evidence():
    with ScriptedGateway([hang_up]) as server:
        assert gateway(server.url).send(CAPTURE).evidence is None
    assert evidence_of_error(stripe.APIConnectionError("no")) is None


def test_an_error_that_is_no_json_shows_its_status_and_its_request():
    with ScriptedGateway([answer("<html>ada@example.com</html>", status=502, headers=HEARD)]) as server:
        result = gateway(server.url).send(CAPTURE)

    assert result.evidence == {"http_status": 502, "request_id": "req_1", "replayed": True}


def test_a_look_up_shows_what_it_read():
    with ScriptedGateway([page(intent()), answer(intent(), headers="Request-Id: req_2\r\n")]) as server:
        found = gateway(server.url).look_up(AUTHORIZE)
    with ScriptedGateway([error(404, code="resource_missing", type="invalid_request_error")]) as server:
        absent = gateway(server.url).look_up(CAPTURE)

    assert (found.evidence["request_id"], found.evidence["id"]) == ("req_2", "pi_1")
    assert absent == Absent()
    assert absent.evidence["error_code"] == "resource_missing"


def test_evidence_is_neither_compared_nor_printed():
    with ScriptedGateway([answer(intent(), headers=HEARD)]) as server:
        result = gateway(server.url).send(AUTHORIZE)

    assert result.evidence is not None
    assert "req_1" not in repr(result)


def test_the_evidence_of_a_refund_names_its_payment():
    failed = refund(status="failed", failure_reason="lost_or_stolen_card")

    evidence = evidence_of(failed, http_status=200, headers={})

    assert evidence["payment_intent"] == "pi_1"
    assert evidence["failure_reason"] == "lost_or_stolen_card"
