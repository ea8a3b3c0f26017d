"""Disputes: opened by a card or by hand, won or lost, with the money that moves."""

import pytest
import stripe


def _captured(gateway, **changes):
    return gateway.authorize(capture_method="automatic", **changes)


def _disputes_of(gateway, intent):
    return gateway.stripe.v1.disputes.list({"payment_intent": intent.id}).data


def _movements_of(gateway, dispute_id):
    rows = gateway.stripe.v1.balance_transactions.list({"source": dispute_id}).data
    return [(row.type, row.reporting_category, row.amount) for row in reversed(rows)]


WITHDRAWN = ("adjustment", "dispute", -1299)
REINSTATED = ("adjustment", "dispute_reversal", 1299)


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        ("pm_card_createDispute", "fraudulent"),
        ("pm_card_createDisputeProductNotReceived", "product_not_received"),
    ],
)
def test_a_dispute_opens_by_itself_after_the_capture(gateway, wait_until, method, reason):
    gateway.configure(dispute_after_s=0)
    intent = gateway.authorize(payment_method=method, metadata={"order_id": f"disputed-{reason}"})
    expiring = gateway.authorize(payment_method=method)
    gateway.do(f"/_expire/{expiring.id}")
    gateway.intents.capture(intent.id)

    [dispute] = wait_until(lambda: _disputes_of(gateway, intent))

    assert (dispute.status, dispute.reason, dispute.amount) == ("needs_response", reason, 1299)
    assert (dispute.charge, dispute.payment_intent) == (intent.latest_charge, intent.id)
    assert gateway.stripe.v1.charges.retrieve(intent.latest_charge).disputed is True
    assert gateway.events_of(dispute.id) == ["charge.dispute.created", "charge.dispute.funds_withdrawn"]
    assert _movements_of(gateway, dispute.id) == [WITHDRAWN]
    assert [(row.amount, row.source) for row in dispute.balance_transactions] == [(-1299, dispute.id)]
    assert _disputes_of(gateway, expiring) == []


def test_a_dispute_is_about_what_was_not_given_back(gateway, wait_until):
    gateway.configure(dispute_after_s=0.5)
    intent = _captured(gateway, payment_method="pm_card_createDispute")
    gateway.refunds.create({"payment_intent": intent.id, "amount": 299})

    [dispute] = wait_until(lambda: _disputes_of(gateway, intent))

    assert dispute.amount == 1000


def test_a_dispute_opens_after_a_restart(start_gateway, wait_until):
    gateway = start_gateway()
    intent = _captured(gateway, payment_method="pm_card_createDispute")
    gateway.kill()
    gateway.start()

    assert len(wait_until(lambda: _disputes_of(gateway, intent))) == 1


@pytest.mark.parametrize(
    ("outcome", "events", "movements"),
    [
        ("won", ["charge.dispute.closed", "charge.dispute.funds_reinstated"], [WITHDRAWN, REINSTATED]),
        ("lost", ["charge.dispute.closed"], [WITHDRAWN]),
    ],
)
def test_a_dispute_is_won_or_lost(gateway, outcome, events, movements):
    intent = _captured(gateway)
    opened = gateway.do("/_dispute", payment_intent=intent.id)

    closed = gateway.do(f"/_dispute/{opened['id']}/close", outcome=outcome)

    assert (opened["status"], opened["reason"], closed["status"]) == ("needs_response", "fraudulent", outcome)
    assert gateway.events_of(opened["id"])[2:] == events
    assert _movements_of(gateway, opened["id"]) == movements
    dispute = gateway.stripe.v1.disputes.retrieve(opened["id"], {"expand": ["charge"]})
    assert (dispute.status, len(dispute.balance_transactions)) == (outcome, len(movements))
    assert dispute.charge.disputed is True
    again = gateway.http.post(f"/_dispute/{dispute.id}/close", json={"outcome": "won"})
    assert again.status_code == 400


def test_disputed_money_is_given_back_only_after_the_dispute_was_won(gateway):
    intent = _captured(gateway)
    dispute = gateway.do("/_dispute", payment_intent=intent.id, amount=100, reason="duplicate")
    assert (dispute["amount"], dispute["reason"]) == (100, "duplicate")

    with pytest.raises(stripe.InvalidRequestError) as refused:
        gateway.refunds.create({"payment_intent": intent.id})
    gateway.do(f"/_dispute/{dispute['id']}/close", outcome="won")

    assert (refused.value.http_status, refused.value.code) == (400, "charge_disputed")
    assert gateway.refunds.create({"payment_intent": intent.id}).amount == 1299


def test_what_cannot_be_disputed_is_refused(gateway):
    held = gateway.authorize()
    disputed = _captured(gateway)
    gateway.do("/_dispute", payment_intent=disputed.id)

    for body in (
        {"payment_intent": held.id},
        {"payment_intent": disputed.id},
        {"payment_intent": _captured(gateway).id, "amount": 1300},
        {"payment_intent": _captured(gateway).id, "reason": "boredom"},
        {"payment_intent": disputed.id, "colour": "blue"},
        {},
    ):
        assert gateway.http.post("/_dispute", json=body).status_code == 400, body
    assert gateway.http.post("/_dispute", json={"payment_intent": "pi_missing"}).status_code == 404
    assert gateway.http.post("/_dispute/dp_missing/close", json={"outcome": "won"}).status_code == 404
    assert len(_disputes_of(gateway, disputed)) == 1


def test_disputes_are_listed_newest_first_in_pages(gateway):
    intents = [_captured(gateway) for _ in range(3)]
    ids = [gateway.do("/_dispute", payment_intent=intent.id)["id"] for intent in intents]
    disputes = gateway.stripe.v1.disputes

    first = disputes.list({"limit": 2})
    rest = disputes.list({"limit": 1, "starting_after": first.data[-1].id})

    assert [one.id for one in [*first.data, *rest.data]] == ids[::-1]
    assert [one.id for one in disputes.list({"charge": intents[1].latest_charge}).data] == [ids[1]]
    created = first.data[0].created
    assert disputes.list({"created": {"gt": created + 60}}).data == []
    assert disputes.list({"created": {"gte": created - 60}, "limit": 1}).data[0].id == ids[-1]


def test_a_dispute_has_the_fields_that_stripe_publishes(gateway):
    opened = gateway.do("/_dispute", payment_intent=_captured(gateway).id)

    dispute = gateway.stripe.v1.disputes.retrieve(opened["id"])

    published = {name for name in stripe.Dispute.__annotations__ if name != "OBJECT_NAME"}
    absent = {"appeal", "intended_submission_method", "network_reason_code"}
    assert published - dispute.to_dict().keys() <= absent
    assert set(stripe.Dispute.Evidence.__annotations__) - dispute.evidence.to_dict().keys() <= absent
