"""Idempotency keys as Stripe has them."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

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


def test_a_forgotten_key_executes_again_and_is_kept_anew(gateway):
    params = {"metadata": {"order_id": "old-1"}, "options": {"idempotency_key": "old-1"}}
    first = gateway.authorize(**params)
    gateway.configure(key_retention_s=0)

    second = gateway.authorize(**params)

    gateway.configure(key_retention_s=86_400)
    assert second.id != first.id
    assert gateway.authorize(**params).id == second.id
    assert gateway.summary("old-1")["orders"]["old-1"]["open_authorizations"] == 2
    assert [request["replayed"] for request in gateway.requests("old-1")] == [1, 0, 0]


def test_a_key_is_forgotten_when_its_time_is_over_and_not_before(gateway, wait_until):
    params = {"options": {"idempotency_key": "old-2"}}
    gateway.configure(key_retention_s=2)
    first = gateway.authorize(**params)

    assert gateway.authorize(**params).id == first.id
    wait_until(lambda: gateway.authorize(**params).id != first.id)


def test_a_forgotten_refund_gives_money_back_twice(gateway):
    intent = gateway.authorize(capture_method="automatic", metadata={"order_id": "old-3"})
    refund = ({"payment_intent": intent.id, "amount": 100}, {"idempotency_key": "old-3"})
    gateway.refunds.create(*refund)
    gateway.configure(key_retention_s=0)

    gateway.refunds.create(*refund)

    assert gateway.summary("old-3")["orders"]["old-3"]["refunded"] == 200


def test_a_forgotten_key_may_stand_for_something_else(gateway):
    options = {"idempotency_key": "old-4"}
    gateway.authorize(options=options)
    gateway.configure(key_retention_s=0)

    assert gateway.authorize(amount=500, options=options).amount == 500


def test_keys_that_are_too_old_are_dropped_at_the_start(start_gateway):
    options = {"idempotency_key": "old-5"}
    gateway = start_gateway()
    first = gateway.authorize(options=options)
    gateway.stop()
    with closing(sqlite3.connect(gateway.book)) as book, book:
        book.execute("UPDATE answers SET created = created - 90000")

    gateway.start()

    assert gateway.authorize(options=options).id != first.id


def test_a_key_that_is_too_long_is_refused(gateway):
    with pytest.raises(stripe.IdempotencyError):
        gateway.authorize(options={"idempotency_key": "x" * 256})
