"""PaymentIntents through their life, and every step that a state refuses."""

import pytest
import stripe

STEPS = ("confirm", "capture", "cancel")
# For each state: how to get there, and the state after each step; None where the step is refused.
LIVES = {
    "requires_payment_method": ({"confirm": False, "payment_method": None}, (None, None, "canceled")),
    "requires_confirmation": ({"confirm": False}, ("requires_capture", None, "canceled")),
    "requires_action": (
        {"payment_method": "pm_card_authenticationRequired"},
        ("requires_action", None, "canceled"),
    ),
    "requires_capture": ({}, (None, "succeeded", "canceled")),
    "succeeded": ({"capture_method": "automatic"}, (None, None, None)),
}


@pytest.mark.parametrize("status", LIVES)
@pytest.mark.parametrize("number", range(len(STEPS)))
def test_each_state_allows_exactly_its_steps(gateway, status, number):
    changes, ends = LIVES[status]
    changes = {key: value for key, value in changes.items() if value is not None}
    if status == "requires_payment_method":
        intent = gateway.intents.create({"amount": 1299, "currency": "eur", "capture_method": "manual"})
    else:
        intent = gateway.authorize(**changes)
    assert intent.status == status
    step = getattr(gateway.intents, STEPS[number])

    if ends[number] is not None:
        assert step(intent.id).status == ends[number]
    else:
        with pytest.raises(stripe.InvalidRequestError) as refused:
            step(intent.id)
        assert refused.value.code == "payment_intent_unexpected_state"
        assert gateway.intents.retrieve(intent.id).to_dict() == intent.to_dict()


@pytest.mark.parametrize("step", STEPS)
def test_a_canceled_payment_stays_canceled(gateway, step):
    intent = gateway.authorize()
    canceled = gateway.intents.cancel(intent.id, {"cancellation_reason": "abandoned"})

    with pytest.raises(stripe.InvalidRequestError) as refused:
        getattr(gateway.intents, step)(intent.id)

    assert refused.value.code == "payment_intent_unexpected_state"
    assert refused.value.error.payment_intent.status == "canceled"
    assert canceled.cancellation_reason == "abandoned"
    assert canceled.amount_capturable == 0


def test_authorize_then_capture_moves_the_amount(gateway):
    intent = gateway.authorize(metadata={"order_id": "moves"})
    assert (intent.status, intent.amount_capturable, intent.amount_received) == ("requires_capture", 1299, 0)
    assert gateway.summary("moves")["orders"]["moves"]["open_authorizations"] == 1

    captured = gateway.intents.capture(intent.id)

    assert (captured.status, captured.amount_capturable, captured.amount_received) == ("succeeded", 0, 1299)
    assert gateway.summary("moves")["orders"]["moves"] == {
        "currency": "eur",
        "captured": 1299,
        "refunded": 0,
        "captures": 1,
        "open_authorizations": 0,
        "declined": 0,
    }


def test_a_second_capture_is_refused_and_takes_nothing(gateway):
    intent = gateway.authorize(metadata={"order_id": "twice"})
    gateway.intents.capture(intent.id)

    with pytest.raises(stripe.InvalidRequestError) as refused:
        gateway.intents.capture(intent.id)

    assert refused.value.http_status == 400
    assert "already been captured" in refused.value.user_message
    assert gateway.summary("twice")["orders"]["twice"]["captured"] == 1299


def test_part_of_an_authorization_is_captured_and_the_rest_let_go(gateway):
    intent = gateway.authorize()

    captured = gateway.intents.capture(intent.id, {"amount_to_capture": 299, "metadata": {"part": "yes"}})

    assert (captured.amount, captured.amount_received, captured.amount_capturable) == (1299, 299, 0)
    charge = gateway.stripe.v1.charges.retrieve(captured.latest_charge)
    assert (charge.amount, charge.amount_captured, charge.captured) == (1299, 299, True)
    found = gateway.intents.search({"query": "metadata['part']:'yes'"}).data
    assert [one.id for one in found] == [intent.id]


def test_more_than_was_authorized_is_not_captured(gateway):
    intent = gateway.authorize()

    with pytest.raises(stripe.InvalidRequestError) as refused:
        gateway.intents.capture(intent.id, {"amount_to_capture": 1300})

    assert (refused.value.code, refused.value.param) == ("amount_too_large", "amount_to_capture")
    assert gateway.intents.retrieve(intent.id).amount_capturable == 1299


def test_automatic_capture_succeeds_at_once(gateway):
    intent = gateway.authorize(capture_method="automatic")

    assert (intent.status, intent.amount_received) == ("succeeded", 1299)


def test_a_payment_created_first_is_confirmed_later(gateway):
    intent = gateway.intents.create({"amount": 500, "currency": "usd"})
    assert (intent.status, intent.latest_charge) == ("requires_payment_method", None)

    confirmed = gateway.intents.confirm(intent.id, {"payment_method": "pm_card_mastercard"})

    assert (confirmed.status, confirmed.payment_method) == ("succeeded", "pm_card_mastercard")


def test_a_payment_has_the_fields_that_stripe_publishes(gateway):
    intent = gateway.authorize(
        description="An order",
        receipt_email="ada@example.com",
        statement_descriptor_suffix="ORDER 7",
        metadata={"order_id": "shape"},
    )

    shape = intent.to_dict()
    published = {
        name
        for name in stripe.PaymentIntent.__annotations__
        if name not in ("OBJECT_NAME", "automatic_payment_methods")
    }
    # Given only for accounts and features that the sandbox does not have.
    absent = {
        "allowed_payment_method_types",
        "customer_account",
        "hooks",
        "managed_payments",
        "payment_details",
        "payment_record",
        "presentment_details",
    }
    assert published - shape.keys() <= absent
    assert shape["object"] == "payment_intent"
    assert shape["id"].startswith("pi_")
    assert shape["client_secret"].startswith(shape["id"] + "_secret_")
    assert shape["metadata"] == {"order_id": "shape"}
    assert shape["description"] == "An order"
    assert shape["payment_method_types"] == ["card"]
    assert shape["livemode"] is False
    assert isinstance(shape["latest_charge"], str)


def test_a_charge_has_the_fields_that_stripe_publishes(gateway):
    intent = gateway.authorize(metadata={"order_id": "charge-shape"}, expand=["latest_charge"])

    charge = intent.latest_charge
    published = {name for name in stripe.Charge.__annotations__ if name != "OBJECT_NAME"}
    absent = {
        "authorization_code",
        "level3",
        "presentment_details",
        "radar_options",
        "refunds",
        "transfer",
    }
    assert published - charge.to_dict().keys() <= absent
    assert (charge.status, charge.paid, charge.captured) == ("succeeded", True, False)
    assert charge.payment_method_details.card.capture_before == charge.created + 7 * 86_400
    assert charge.metadata.to_dict() == {"order_id": "charge-shape"}


@pytest.mark.parametrize(
    ("changes", "param", "code"),
    [
        ({"amount": 0}, "amount", "parameter_invalid_integer"),
        ({"amount": -5}, "amount", "parameter_invalid_integer"),
        ({"amount": "12.5"}, "amount", "parameter_invalid_integer"),
        ({"amount": 100_000_000}, "amount", "amount_too_large"),
        ({"amount": ""}, "amount", "parameter_missing"),
        ({"currency": "xxx"}, "currency", None),
        ({"currency": ""}, "currency", "parameter_missing"),
        ({"capture_method": "later"}, "capture_method", None),
        ({"confirm": "yes"}, "confirm", None),
        ({"payment_method": "pm_card_nobody"}, "payment_method", "resource_missing"),
        ({"payment_method": "pm_card_visa_fault_nothing"}, "payment_method", "resource_missing"),
        ({"colour": "blue"}, "colour", "parameter_unknown"),
        ({"metadata": {"key" * 20: "x"}}, "metadata[" + ("key" * 20)[:40] + "]", None),
        ({"metadata": {"order_id": "x" * 501}}, "metadata[order_id]", None),
        ({"expand": ["customer"]}, "expand", None),
    ],
)
def test_a_wrong_parameter_is_named_and_nothing_is_written(gateway, changes, param, code):
    before = gateway.intents.list({"limit": 1}).data

    with pytest.raises(stripe.InvalidRequestError) as refused:
        gateway.authorize(**changes)

    assert (refused.value.http_status, refused.value.param, refused.value.code) == (400, param, code)
    assert gateway.intents.list({"limit": 1}).data == before


@pytest.mark.parametrize(
    "changes",
    [
        {"payment_method": "4242424242424242"},
        {"payment_method": "4242 4242 4242 4242"},
        {"payment_method_data": {"type": "card", "card": {"number": "4242424242424242"}}},
        {"card": {"number": "4242424242424242"}},
    ],
)
def test_card_numbers_are_refused_and_kept_nowhere(gateway, changes):
    with pytest.raises(stripe.StripeError) as refused:
        gateway.authorize(**changes)

    assert "generally unsafe" in refused.value.user_message
    for file in gateway.book.parent.iterdir():
        assert b"4242424242424242" not in file.read_bytes()
        assert b"4242 4242" not in file.read_bytes()


@pytest.mark.parametrize("key", ["sk_test_wrong", "pk_test_sandbox"])
def test_a_wrong_key_is_refused_and_not_repeated(gateway, key):
    with pytest.raises(stripe.AuthenticationError) as refused:
        gateway.client(key=key).v1.payment_intents.list()

    assert refused.value.http_status == 401
    assert key not in refused.value.user_message


def test_the_key_may_come_as_basic_authentication(gateway):
    answer = gateway.http.get("/v1/payment_intents", auth=("sk_test_sandbox", ""))

    assert answer.status_code == 200
    assert gateway.http.get("/v1/payment_intents").status_code == 401


def test_what_is_not_there_is_a_404(gateway):
    for retrieve in (
        gateway.intents.retrieve,
        gateway.intents.capture,
        gateway.refunds.retrieve,
        gateway.stripe.v1.charges.retrieve,
        gateway.stripe.v1.events.retrieve,
    ):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            retrieve("xx_missing")
        assert (refused.value.http_status, refused.value.code) == (404, "resource_missing")
        assert refused.value.request_id.startswith("req_")
    with pytest.raises(stripe.InvalidRequestError) as refused:
        gateway.stripe.v1.customers.list()
    assert refused.value.http_status == 404
