"""Refunds: whole, partial, concurrent, and never above what was captured."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import stripe


def _captured(gateway, order_id):
    intent = gateway.authorize(metadata={"order_id": order_id})
    return gateway.intents.capture(intent.id, {"amount_to_capture": 1000})


def test_a_refund_without_an_amount_gives_back_the_rest(gateway):
    intent = _captured(gateway, "rest")
    first = gateway.refunds.create({"payment_intent": intent.id, "amount": 400, "metadata": {"why": "late"}})

    second = gateway.refunds.create({"payment_intent": intent.id, "reason": "requested_by_customer"})

    assert (first.amount, first.status, first.metadata.to_dict()) == (400, "succeeded", {"why": "late"})
    assert (second.amount, second.reason, second.payment_intent) == (600, "requested_by_customer", intent.id)
    charge = gateway.stripe.v1.charges.retrieve(intent.latest_charge)
    assert (charge.amount_refunded, charge.refunded) == (1000, True)
    order = gateway.summary("rest")["orders"]["rest"]
    assert (order["captured"], order["refunded"]) == (1000, 1000)


def test_a_refund_has_the_fields_that_stripe_publishes(gateway):
    refund = gateway.refunds.create({"charge": _captured(gateway, "shape-of-refund").latest_charge})

    published = {name for name in stripe.Refund.__annotations__ if name != "OBJECT_NAME"}
    # Given only for failed or pending refunds, and for methods that are no cards.
    absent = {
        "customer",
        "customer_account",
        "description",
        "failure_balance_transaction",
        "failure_reason",
        "instructions_email",
        "next_action",
        "payment_method",
        "pending_reason",
        "presentment_details",
    }
    assert published - refund.to_dict().keys() <= absent
    assert gateway.refunds.retrieve(refund.id).to_dict() == refund.to_dict()


@pytest.mark.parametrize("amount", [1001, 1299])
def test_more_than_was_captured_is_not_given_back(gateway, amount):
    intent = _captured(gateway, f"above-{amount}")

    with pytest.raises(stripe.InvalidRequestError) as refused:
        gateway.refunds.create({"payment_intent": intent.id, "amount": amount})

    assert (refused.value.http_status, refused.value.param) == (400, "amount")
    assert gateway.summary(f"above-{amount}")["orders"][f"above-{amount}"]["refunded"] == 0


def test_what_was_given_back_is_not_given_again(gateway):
    intent = _captured(gateway, "again")
    gateway.refunds.create({"payment_intent": intent.id})

    with pytest.raises(stripe.InvalidRequestError) as refused:
        gateway.refunds.create({"payment_intent": intent.id})

    assert refused.value.code == "charge_already_refunded"


def test_an_authorization_is_not_refunded(gateway):
    intent = gateway.authorize()

    with pytest.raises(stripe.InvalidRequestError) as refused:
        gateway.refunds.create({"payment_intent": intent.id})

    assert refused.value.code == "charge_not_refundable"


def test_of_concurrent_refunds_one_wins(gateway):
    intent = _captured(gateway, "race")

    def refund(_):
        try:
            return gateway.client().v1.refunds.create({"payment_intent": intent.id, "amount": 600}).amount
        except stripe.InvalidRequestError:
            return 0

    with ThreadPoolExecutor(10) as pool:
        amounts = list(pool.map(refund, range(20)))

    assert sorted(amounts) == [0] * 19 + [600]
    assert gateway.summary("race")["orders"]["race"]["refunded"] == 600


def test_refunds_of_a_payment_are_listed_newest_first_in_pages(gateway):
    intent = _captured(gateway, "pages")
    ids = [gateway.refunds.create({"payment_intent": intent.id, "amount": 10}).id for _ in range(5)]

    first = gateway.refunds.list({"payment_intent": intent.id, "limit": 3})
    rest = gateway.refunds.list(
        {"payment_intent": intent.id, "limit": 3, "starting_after": first.data[-1].id}
    )

    assert (first.has_more, rest.has_more) == (True, False)
    assert [refund.id for refund in first.data + rest.data] == ids[::-1]
