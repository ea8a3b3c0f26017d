"""Lists, search and events."""

import pytest
import stripe


def test_payments_are_listed_by_customer_and_time_in_pages(gateway):
    ids = [gateway.authorize(customer="cus_pages").id for _ in range(5)]
    gateway.authorize(customer="cus_other")

    page = gateway.intents.list({"customer": "cus_pages", "limit": 2})

    assert [intent.id for intent in page.auto_paging_iter()] == ids[::-1]
    newest = gateway.intents.retrieve(ids[-1])
    since = {"customer": "cus_pages", "created": {"gte": newest.created - 60}}
    assert len(gateway.intents.list(since).data) == 5
    assert gateway.intents.list({**since, "created": {"gt": newest.created + 60}}).data == []
    before = gateway.intents.list({"customer": "cus_pages", "ending_before": ids[1], "limit": 2})
    assert ([intent.id for intent in before.data], before.has_more) == ([ids[3], ids[2]], True)


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"starting_after": "pi_missing"}, "starting_after"),
        ({"created": {"about": 5}}, "created"),
    ],
)
def test_a_list_refuses_what_it_cannot_do(gateway, params, param):
    with pytest.raises(stripe.InvalidRequestError) as refused:
        gateway.intents.list(params)

    assert refused.value.param == param


def test_search_finds_by_metadata_and_status(gateway):
    paid = gateway.authorize(metadata={"order_id": "s1", "it's": 'a "quoted" \\ one'})
    gateway.intents.capture(paid.id)
    open_ = gateway.authorize(metadata={"order_id": "s1"})

    def found(query):
        return {intent.id for intent in gateway.intents.search({"query": query}).data}

    assert found("metadata['order_id']:'s1'") == {paid.id, open_.id}
    assert found("metadata['order_id']:'s1' AND status:'succeeded'") == {paid.id}
    assert found('status:"requires_capture" AND metadata["order_id"]:"s1"') == {open_.id}
    assert found(r"""metadata['it\'s']:'a "quoted" \\ one'""") == {paid.id}
    assert found("metadata['order_id']:'s1' AND amount>1299") == set()
    assert found("metadata['order_id']:'S1'") == set()


def test_search_goes_on_in_pages(gateway):
    ids = [gateway.authorize(metadata={"batch": "b"}).id for _ in range(5)]

    page = gateway.intents.search({"query": "metadata['batch']:'b'", "limit": 2})

    assert [intent.id for intent in page.auto_paging_iter()] == ids[::-1]


@pytest.mark.parametrize(
    "query",
    ["", "metadata['a']", "status:'x' OR status:'y'", "metadata['a']:'b' AND ", "seq:'1'", "amount:'x'",
     "-status:'x'", "metadata['a']:'b'; DROP TABLE intents"],
)  # fmt: skip
def test_a_query_that_is_not_understood_is_refused(gateway, query):
    with pytest.raises(stripe.InvalidRequestError) as refused:
        gateway.intents.search({"query": query})

    assert refused.value.param == "query"


def test_the_charges_of_a_payment_are_listed_with_the_failed_ones(gateway):
    with pytest.raises(stripe.CardError) as declined:
        gateway.authorize(payment_method="pm_card_visa_chargeDeclined")
    intent_id = declined.value.error.payment_intent.id
    gateway.intents.confirm(intent_id, {"payment_method": "pm_card_visa"})

    charges = gateway.stripe.v1.charges.list(
        {"payment_intent": intent_id, "expand": ["data.payment_intent"]}
    ).data

    assert [charge.status for charge in charges] == ["succeeded", "failed"]
    assert charges[0].payment_intent.id == intent_id


def test_events_tell_the_life_of_a_payment_with_the_object_as_it_was(gateway):
    intent = gateway.authorize(metadata={"order_id": "life"})
    gateway.intents.capture(intent.id)
    gateway.refunds.create({"payment_intent": intent.id})

    events = gateway.stripe.v1.events.list({"limit": 7}).data

    assert [event.type for event in reversed(events)] == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.amount_capturable_updated",
        "charge.captured",
        "payment_intent.succeeded",
        "refund.created",
        "charge.refunded",
    ]
    statuses = [event.data.object.status for event in reversed(events)]
    assert statuses[::2] == ["requires_confirmation", "requires_capture", "succeeded", "succeeded"]
    one = gateway.stripe.v1.events.retrieve(events[0].id)
    assert one.to_dict() == events[0].to_dict()
    only = gateway.stripe.v1.events.list({"type": "charge.refunded", "limit": 1}).data
    assert [event.id for event in only] == [events[0].id]
