"""What a notice says, and what of it is kept."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.gateways.notices import Notice, read_notice
from payments.gateways.redaction import redacted
from resilience.rest.card_numbers import holds_card_number
from resilience.rest.errors import InvalidRequest

CREATED = 1_790_000_000
PRIVATE = "Erika Mustermann"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
EVENTS = st.dictionaries(
    st.sampled_from(["id", "type", "data", "created", "object", "metadata", "card"]),
    JSON
    | st.fixed_dictionaries(
        {"object": st.dictionaries(st.sampled_from(["id", "payment_intent", "card"]), JSON)}
    ),
)


def document(type_: str = "payment_intent.succeeded", **subject: object) -> dict[str, object]:
    return {"id": "evt_1", "type": type_, "created": CREATED, "data": {"object": subject}}


@pytest.mark.parametrize(
    ("type_", "reference"),
    [
        ("payment_intent.succeeded", "pi_own"),
        ("payment_intent.payment_failed", "pi_own"),
        ("charge.captured", "pi_other"),
        ("charge.refunded", "pi_other"),
        ("charge.refund.updated", "pi_other"),
        ("charge.dispute.created", "pi_other"),
        ("refund.failed", "pi_other"),
        ("customer.created", ""),
        ("payment_intents.x", ""),
        ("payout.paid", ""),
    ],
)
def test_the_reference_is_the_intent(type_: str, reference: str):
    notice = read_notice(document(type_, id="pi_own", payment_intent="pi_other"))

    assert notice == Notice("evt_1", type_, reference, datetime.fromtimestamp(CREATED, UTC))


@pytest.mark.parametrize("intent", [None, 7, [], {"id": "pi_1"}, "x" * 256, "4242424242424242"])
def test_a_charge_that_names_no_intent_has_no_reference(intent: object):
    assert read_notice(document("charge.captured", payment_intent=intent)).reference == ""


@pytest.mark.parametrize("created", [None, -1, 1.5, "1", True, 10**18, []])
def test_a_time_that_is_none_is_left_out(created: object):
    assert read_notice({**document(), "created": created}).created_at is None


@pytest.mark.parametrize(
    "change",
    [
        {"id": None}, {"id": ""}, {"id": 7}, {"id": "x" * 256}, {"id": ["evt_1"]},
        {"id": "4242424242424242"}, {"type": "charge.4242 4242 4242 4242"},
        {"type": None}, {"type": ""}, {"type": "x" * 129}, {"type": {}},
        {"data": None}, {"data": []}, {"data": {}}, {"data": {"object": None}}, {"data": {"object": []}},
        {"data": {"object": "pi_1"}},
    ],
)  # fmt: skip
def test_another_shape_is_refused(change: dict[str, object]):
    with pytest.raises(InvalidRequest):
        read_notice({**document(), **change})


@given(EVENTS | st.dictionaries(st.text(), JSON))
def test_any_document_is_read_or_refused(anything: dict[str, object]):
    try:
        notice = read_notice(anything)
    except InvalidRequest:
        return
    assert len(notice.event_id) <= 255
    assert len(notice.reference) <= 255


@given(EVENTS, st.sampled_from(["charge.captured", "payment_intent.created", "customer.created"]))
def test_any_document_is_redacted_and_redacting_twice_changes_nothing(
    anything: dict[str, object], type_: str
):
    once = redacted(anything, type_=type_)

    assert repr(redacted(once, type_=type_)) == repr(once)


PERSON = {"name": PRIVATE, "email": PRIVATE, "phone": PRIVATE, "address": {"line1": PRIVATE}}
CARD = {
    "brand": "visa",
    "last4": "4242",
    "fingerprint": PRIVATE,
    "exp_month": 12,
    "iin": PRIVATE,
    "network": PRIVATE,
}
FULL = {
    "id": "pi_1",
    "object": "payment_intent",
    "amount": 1299,
    "currency": "eur",
    "status": "requires_capture",
    "client_secret": PRIVATE,
    "receipt_email": PRIVATE,
    "receipt_url": PRIVATE,
    "description": PRIVATE,
    "shipping": PERSON,
    "billing_details": PERSON,
    "customer": {"id": "cus_1", **PERSON},
    "payment_method_details": {"type": "card", "card": CARD, "boleto": {"tax_id": PRIVATE}},
    "source": {"object": "card", "last4": "4242", **PERSON},
    "metadata": {"payment_id": "p", "order_id": "o", "note": PRIVATE},
    "next_action": {"type": "redirect_to_url", "redirect_to_url": {"url": PRIVATE}},
    "last_payment_error": {
        "code": "card_declined",
        "message": PRIVATE,
        "payment_method": {"id": "pm_1", "billing_details": PERSON, "card": CARD},
    },
    "evidence": {"customer_name": PRIVATE, "customer_purchase_ip": PRIVATE},
    "a_field_of_next_year": PRIVATE,
}


def test_facts_of_the_money_are_kept_and_nothing_of_the_payer():
    kept = redacted(
        {
            **document(**FULL),
            "data": {"object": FULL, "previous_attributes": {"shipping": PERSON, "status": "x"}},
        },
        type_="payment_intent.succeeded",
    )

    assert PRIVATE not in json.dumps(kept)
    assert kept == {
        "id": "evt_1",
        "type": "payment_intent.succeeded",
        "created": CREATED,
        "data": {
            "object": {
                "id": "pi_1",
                "object": "payment_intent",
                "amount": 1299,
                "currency": "eur",
                "status": "requires_capture",
                "customer": {"id": "cus_1"},
                "payment_method_details": {
                    "type": "card", "card": {"brand": "visa", "last4": "4242"}, "boleto": {},
                },
                "metadata": {"payment_id": "p", "order_id": "o"},
                "next_action": {"type": "redirect_to_url"},
                "last_payment_error": {
                    "code": "card_declined",
                    "payment_method": {"id": "pm_1", "card": {"brand": "visa", "last4": "4242"}},
                },
            },
            "previous_attributes": {"status": "x"},
        },
    }  # fmt: skip


def test_of_a_strangers_object_only_its_name_is_kept():
    kept = redacted(
        document("customer.created", id="cus_1", object="customer", **PERSON), type_="customer.created"
    )

    assert kept["data"] == {"object": {"id": "cus_1", "object": "customer"}}


@pytest.mark.parametrize("number", ["4242424242424242", 4242424242424242, "no 4242 4242 4242 4242 please"])
@pytest.mark.parametrize("field", ["reason", "id", "customer"])
def test_a_card_number_is_struck_out_wherever_it_stands(field: str, number: object):
    kept = redacted(
        document("charge.captured", **{field: number, "metadata": {"order_id": number}}),
        type_="charge.captured",
    )

    assert kept["data"] == {"object": {field: "[card number]", "metadata": {"order_id": "[card number]"}}}
    assert not holds_card_number(json.dumps(kept))
