"""Balance transactions: each movement of money has a row, with the gateway's fee."""

import pytest
import stripe


def _captured(gateway, **changes):
    return gateway.intents.capture(gateway.authorize(**changes).id)


def _rows_of(gateway, source):
    return gateway.stripe.v1.balance_transactions.list({"source": source}).data


def test_a_capture_is_a_movement_and_an_authorization_is_none(gateway):
    intent = gateway.authorize()
    assert _rows_of(gateway, intent.latest_charge) == []
    assert gateway.stripe.v1.charges.retrieve(intent.latest_charge).balance_transaction is None

    gateway.intents.capture(intent.id, {"amount_to_capture": 999})

    [row] = _rows_of(gateway, intent.latest_charge)
    assert (row.type, row.reporting_category, row.amount, row.currency) == ("charge", "charge", 999, "eur")
    assert (row.fee, row.net, row.fee_details) == (0, 999, [])
    charge = gateway.stripe.v1.charges.retrieve(intent.latest_charge)
    assert charge.balance_transaction == row.id
    assert row.created >= charge.created


def test_a_declined_or_released_payment_moves_nothing(gateway):
    with pytest.raises(stripe.CardError) as declined:
        gateway.authorize(payment_method="pm_card_visa_chargeDeclined", capture_method="automatic")
    released = gateway.intents.cancel(gateway.authorize().id)

    assert _rows_of(gateway, declined.value.error.charge) == []
    assert _rows_of(gateway, released.latest_charge) == []


@pytest.mark.parametrize(
    ("bps", "fixed", "amount", "fee"),
    [
        (290, 30, 1299, 68),
        (0, 25, 1299, 25),
        (100, 0, 50, 1),
        (100, 0, 49, 0),
        (100, 0, 149, 1),
        (1, 0, 1, 0),
    ],
)
def test_the_fee_is_a_share_rounded_half_up_and_a_fixed_part(gateway, bps, fixed, amount, fee):
    gateway.configure(fee_bps=bps, fee_fixed=fixed)

    intent = gateway.authorize(amount=amount, capture_method="automatic")

    [row] = _rows_of(gateway, intent.latest_charge)
    assert (row.amount, row.fee, row.net) == (amount, fee, amount - fee)
    assert sum(detail.amount for detail in row.fee_details) == fee


def test_the_fee_comes_from_the_command_line(start_gateway):
    gateway = start_gateway("--fee-bps", "399", "--fee-fixed", "39")

    intent = gateway.authorize(amount=10_000, capture_method="automatic")

    [row] = _rows_of(gateway, intent.latest_charge)
    assert (row.fee, row.net) == (438, 9562)


def test_a_refund_is_a_movement_out_and_keeps_the_fee(gateway):
    gateway.configure(fee_bps=290, fee_fixed=30)
    intent = _captured(gateway)

    refund = gateway.refunds.create({"payment_intent": intent.id, "amount": 300})

    [row] = _rows_of(gateway, refund.id)
    assert refund.balance_transaction == row.id
    assert (row.type, row.reporting_category, row.amount) == ("refund", "refund", -300)
    assert (row.fee, row.net) == (0, -300)


def test_movements_are_listed_newest_first_in_pages_by_type_and_time(gateway):
    intents = [_captured(gateway) for _ in range(3)]
    refund = gateway.refunds.create({"payment_intent": intents[0].id})
    charges = [gateway.stripe.v1.charges.retrieve(intent.latest_charge) for intent in intents]
    ids = [*(charge.balance_transaction for charge in charges), refund.balance_transaction]
    transactions = gateway.stripe.v1.balance_transactions

    first = transactions.list({"limit": 3})
    rest = transactions.list({"limit": 1, "starting_after": first.data[-1].id})

    assert [row.id for row in [*first.data, *rest.data]] == ids[::-1]
    assert first.has_more is True
    before = transactions.list({"ending_before": ids[1], "limit": 2})
    assert [row.id for row in before.data] == [ids[3], ids[2]]
    assert [row.id for row in transactions.list({"type": "refund", "limit": 1}).data] == [ids[3]]
    since = {"created": {"gte": charges[0].created, "lte": charges[0].created + 60}}
    assert {row.id for row in transactions.list(since).data} >= set(ids)
    assert transactions.list({"created": {"gt": charges[0].created + 60}}).data == []
    assert transactions.retrieve(ids[0]).to_dict() == rest.data[0].to_dict()


@pytest.mark.parametrize(
    ("params", "param"),
    [({"payment_intent": "pi_1"}, "payment_intent"), ({"limit": 101}, "limit"),
     ({"starting_after": "txn_missing"}, "starting_after"), ({"expand": ["data.charge"]}, "expand")],
)  # fmt: skip
def test_a_list_of_movements_refuses_what_stripe_refuses(gateway, params, param):
    with pytest.raises(stripe.InvalidRequestError) as refused:
        gateway.stripe.v1.balance_transactions.list(params)

    assert (refused.value.http_status, refused.value.param) == (400, param)


def test_a_movement_that_is_not_there_is_a_404(gateway):
    with pytest.raises(stripe.InvalidRequestError) as refused:
        gateway.stripe.v1.balance_transactions.retrieve("txn_missing")

    assert (refused.value.http_status, refused.value.code) == (404, "resource_missing")


def test_a_movement_shows_its_source_and_is_shown_by_it(gateway):
    intent = _captured(gateway, metadata={"order_id": "shown"})
    refund = gateway.refunds.create({"payment_intent": intent.id, "amount": 1})

    rows = gateway.stripe.v1.balance_transactions.list(
        {"limit": 2, "expand": ["data.source", "data.source.payment_intent"]}
    ).data
    by_intent = gateway.intents.retrieve(intent.id, {"expand": ["latest_charge.balance_transaction"]})
    by_list = gateway.intents.list({"limit": 1, "expand": ["data.latest_charge.balance_transaction"]}).data[0]
    by_refund = gateway.refunds.retrieve(refund.id, {"expand": ["balance_transaction"]})

    assert [(row.source.object, row.source.id) for row in rows] == [
        ("refund", refund.id),
        ("charge", intent.latest_charge),
    ]
    assert [row.source.payment_intent.metadata["order_id"] for row in rows] == ["shown", "shown"]
    assert by_intent.latest_charge.balance_transaction.source == intent.latest_charge
    assert by_list.to_dict() == by_intent.to_dict()
    assert by_refund.balance_transaction.amount == -1


def test_an_open_authorization_has_no_movement_to_show(gateway):
    intent = gateway.authorize(expand=["latest_charge.balance_transaction"])

    assert intent.latest_charge.balance_transaction is None


@pytest.mark.parametrize("path", ["latest_charge.nothing", "latest_charge.payment_intent.latest_charge." * 2])
def test_a_path_that_leads_nowhere_is_refused(gateway, path):
    with pytest.raises(stripe.InvalidRequestError) as refused:
        gateway.intents.list({"expand": [f"data.{path}"]})

    assert refused.value.param == "expand"


def test_a_movement_has_the_fields_that_stripe_publishes(gateway):
    _captured(gateway)

    [row] = gateway.stripe.v1.balance_transactions.list({"limit": 1}).data

    published = {name for name in stripe.BalanceTransaction.__annotations__ if name != "OBJECT_NAME"}
    assert published - row.to_dict().keys() == set()
