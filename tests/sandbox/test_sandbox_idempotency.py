"""Idempotency keys as Stripe has them."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import stripe

REPLAYED = "Idempotent-Replayed"


def test_the_same_request_gets_the_same_answer_and_no_second_effect(gateway):
    options = {"idempotency_key": "same-1"}
    params = {"metadata": {"order_id": "same-1"}, "options": options}
    first = gateway.authorize(**params)

    second = gateway.authorize(**params)

    assert second.last_response.body == first.last_response.body
    assert REPLAYED not in first.last_response.headers
    assert second.last_response.headers[REPLAYED] == "true"
    assert second.last_response.headers["Original-Request"] == first.last_response.headers["Request-Id"]
    assert gateway.summary("same-1")["orders"]["same-1"]["open_authorizations"] == 1
    assert [request["replayed"] for request in gateway.requests("same-1")] == [1, 0]


def test_a_decline_is_replayed(gateway):
    params = {"payment_method": "pm_card_visa_chargeDeclined", "options": {"idempotency_key": "decline-1"}}
    errors = []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as declined:
            gateway.authorize(**params)
        errors.append(declined.value)

    assert errors[0].http_body == errors[1].http_body
    assert errors[1].headers[REPLAYED] == "true"


def test_a_refusal_by_state_is_replayed(gateway):
    intent = gateway.authorize(capture_method="automatic")
    for _ in range(2):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            gateway.intents.cancel(intent.id, {}, {"idempotency_key": "state-1"})

    assert refused.value.headers[REPLAYED] == "true"


def test_a_key_with_other_parameters_is_refused(gateway):
    options = {"idempotency_key": "other-1"}
    intent = gateway.authorize(options=options)

    with pytest.raises(stripe.IdempotencyError) as refused:
        gateway.authorize(amount=1300, options=options)
    assert "same parameters" in refused.value.user_message
    with pytest.raises(stripe.IdempotencyError) as refused:
        gateway.intents.capture(intent.id, {}, options)
    assert "same endpoint" in refused.value.user_message
    assert refused.value.http_status == 400
    assert gateway.intents.retrieve(intent.id).status == "requires_capture"


def test_a_request_that_fails_validation_leaves_its_key_free(gateway):
    options = {"idempotency_key": "free-1"}
    with pytest.raises(stripe.InvalidRequestError):
        gateway.authorize(amount=0, options=options)

    assert gateway.authorize(options=options).status == "requires_capture"


def test_a_key_in_flight_is_refused_and_then_replayed(gateway, wait_until):
    gateway.fault("slow", delay_ms=600, times=1)
    params = {"metadata": {"order_id": "flight-1"}, "options": {"idempotency_key": "flight-1"}}
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(lambda: gateway.authorize(**params))
        wait_until(lambda: not gateway.http.get("/_faults").json()["data"])

        with pytest.raises(stripe.APIError) as refused:
            gateway.authorize(**params)

        assert refused.value.http_status == 409
        assert refused.value.error.code == "idempotency_key_in_use"
        intent = first.result()

    assert gateway.authorize(**params).id == intent.id
    assert gateway.summary("flight-1")["orders"]["flight-1"]["open_authorizations"] == 1


def test_of_many_equal_requests_at_once_one_has_an_effect(gateway):
    params = {"metadata": {"order_id": "many-1"}, "options": {"idempotency_key": "many-1"}}

    def authorize(_):
        try:
            return gateway.client().v1.payment_intents.create(
                {"amount": 100, "currency": "eur", "confirm": True, "payment_method": "pm_card_visa",
                 "metadata": params["metadata"]},
                params["options"],
            ).id  # fmt: skip
        except stripe.APIError as error:
            return error.http_status

    with ThreadPoolExecutor(16) as pool:
        outcomes = set(pool.map(authorize, range(50)))

    assert len(outcomes - {409}) == 1
    assert gateway.summary("many-1")["orders"]["many-1"]["captures"] == 1


def test_a_key_is_forgotten_after_its_retention(gateway):
    options = {"idempotency_key": "old-1"}
    first = gateway.authorize(options=options)
    gateway.http.post("/_config", json={"key_retention_s": 0}).raise_for_status()

    second = gateway.authorize(options=options)

    assert second.id != first.id


def test_a_key_that_is_too_long_is_refused(gateway):
    with pytest.raises(stripe.IdempotencyError):
        gateway.authorize(options={"idempotency_key": "x" * 256})
