"""Answers that lie: cut JSON, amounts that nobody asked for. The book stays right."""

import json

import pytest

# Each call that shows money, the amounts in its answer, and what they are in truth.
SHOWN = {
    "create": (lambda gateway, _: gateway.authorize(), {"amount": 1299, "amount_capturable": 1299}),
    "capture": (
        lambda gateway, intent: gateway.intents.capture(intent.id),
        {"amount": 1299, "amount_received": 1299},
    ),
    "cancel": (lambda gateway, intent: gateway.intents.cancel(intent.id), {"amount": 1299}),
    "retrieve": (lambda gateway, intent: gateway.intents.retrieve(intent.id), {"amount": 1299}),
}


def _raw(gateway, path):
    return gateway.http.get(path, auth=("sk_test_sandbox", ""))


@pytest.mark.parametrize("operation", SHOWN)
def test_a_wrong_amount_is_one_too_high_where_there_is_one(gateway, operation):
    call, truth = SHOWN[operation]
    intent = gateway.authorize()
    gateway.fault("wrong_amount", operation=operation, times=1)

    shown = call(gateway, intent)

    assert {name: getattr(shown, name) for name in truth} == {name: sum_ + 1 for name, sum_ in truth.items()}
    if operation != "capture":
        assert shown.amount_received == 0


def test_the_book_and_the_stored_answer_have_the_amount_that_was_asked_for(gateway):
    gateway.fault("wrong_amount", operation="create", times=1)
    params = {"metadata": {"order_id": "wrong-1"}, "options": {"idempotency_key": "wrong-1"}}
    shown = gateway.authorize(**params)

    again = gateway.authorize(**params)

    assert (shown.amount, again.amount) == (1300, 1299)
    assert gateway.intents.retrieve(shown.id).amount == 1299
    assert [row["fault"] for row in gateway.requests("wrong-1")][-1] == "wrong_amount"


def test_a_refund_and_lists_echo_wrong_amounts_too(gateway):
    intent = gateway.authorize(capture_method="automatic")
    gateway.fault("wrong_amount")

    refund = gateway.refunds.create({"payment_intent": intent.id, "amount": 500})
    listed = gateway.refunds.list({"payment_intent": intent.id}).data[0]
    found = gateway.intents.list({"limit": 1, "expand": ["data.latest_charge"]}).data[0]

    gateway.http.delete("/_faults")
    assert (refund.amount, listed.amount, found.amount, found.latest_charge.amount_refunded) == (
        501,
        501,
        1300,
        501,
    )
    assert gateway.refunds.retrieve(refund.id).amount == 500


def test_a_card_can_bring_the_wrong_amount_along(gateway):
    intent = gateway.authorize(payment_method="pm_card_visa_fault_wrong_amount")

    assert intent.amount == 1300
    assert gateway.intents.retrieve(intent.id).amount == 1299


def test_a_truncated_answer_is_the_first_half_each_time(gateway):
    intent = gateway.authorize()
    whole = _raw(gateway, f"/v1/payment_intents/{intent.id}")
    gateway.fault("truncate", operation="retrieve")

    answers = [_raw(gateway, f"/v1/payment_intents/{intent.id}") for _ in range(3)]

    assert {answer.content for answer in answers} == {whole.content[: len(whole.content) // 2]}
    assert {answer.status_code for answer in answers} == {200}
    with pytest.raises(json.JSONDecodeError):
        answers[0].json()
