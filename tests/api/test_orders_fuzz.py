"""POST /orders with whatever JSON there is: never a 5xx, and a 201 means an order that adds up."""

import json
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from orders.models import Order
from payments.models import Payment
from resilience.events.models import LoggedEvent
from resilience.saga.models import Saga
from tests.api.malformed import FULL, RAW
from tests.api.shop import EVERYTHING, ORDERS, Shop, rows_written
from tests.orders_kit import SKU, stock

pytestmark = pytest.mark.django_db
EXAMPLES = 150
# The same request goes to the same rows each time; only the database is shared between examples.
FUZZ = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

JUNK_TEXT = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["\0", "\ud800", "4242424242424242", "EUR", "eur", SKU, "NaN", "1e2", "\u202e", "'", "%s"]
    ),
)
JUNK = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.sampled_from([0, -1, 2**31, 2**53, 2**63, 10**30]),
        st.floats(),
        JUNK_TEXT,
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(JUNK_TEXT, inner, max_size=4)),
    max_leaves=12,
)
PLACES = (
    *("customer", "currency", "lines", "payments", "shipping", "metadata", "placed_at"),
    *("lines/0", "payments/0"),
)
PLAIN_TEXT = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=20)
# Mostly small, so that most of these orders are possible; now and then larger than any order may be.
AMOUNTS = st.one_of(st.integers(1, 3000), st.integers(1, 3000), st.integers(0, 10**12))
TENDERS = st.lists(
    st.fixed_dictionaries({"method": st.just("pm_card_visa")}, optional={"amount": AMOUNTS}),
    min_size=1,
    max_size=3,
)
ORDERLY = st.fixed_dictionaries(
    {
        "customer": st.fixed_dictionaries(
            {"reference": PLAIN_TEXT}, optional={"email": st.sampled_from(["a@b.c", "ä@b"])}
        ),
        "currency": st.just("EUR"),
        "lines": st.lists(
            st.fixed_dictionaries(
                {"sku": st.sampled_from([SKU, "CUP"]), "quantity": st.integers(1, 100)},
                optional={"unit_price": AMOUNTS},
            ),
            min_size=1,
            max_size=5,
        ),
        "payments": st.one_of(st.just([{"method": "pm_card_visa"}]), TENDERS),
    },
    optional={
        "shipping": AMOUNTS,
        "metadata": st.dictionaries(
            PLAIN_TEXT, st.one_of(PLAIN_TEXT, st.integers(-(2**53), 2**53)), max_size=3
        ),
        "placed_at": st.datetimes(max_value=datetime(2024, 1, 1)).map(  # noqa: DTZ001 - the zone is below
            lambda moment: f"{moment.isoformat()}Z"
        ),
    },
)


@pytest.fixture
def caller(shop: Shop) -> Shop:
    stock(10)
    stock(10, sku="CUP")
    return Shop(permissions=EVERYTHING)


@given(body=ORDERLY)
@FUZZ
def test_an_orderly_request_is_an_order_or_a_refusal(caller: Shop, body: dict[str, Any]) -> None:
    _check(caller, body)


@given(body=st.one_of(JUNK, st.dictionaries(st.sampled_from(sorted(FULL)), JUNK)))
@FUZZ
def test_junk_is_a_refusal(caller: Shop, body: object) -> None:
    assert _check(caller, body) in (400, 413)


@given(place=st.sampled_from(PLACES), value=JUNK)
@FUZZ
def test_an_order_with_junk_in_it_is_an_order_or_a_refusal(caller: Shop, place: str, value: object) -> None:
    body = json.loads(json.dumps(FULL))
    top, _, index = place.partition("/")
    if index:
        body[top][int(index)] = value
    else:
        body[top] = value

    _check(caller, body)


@given(raw=st.one_of(st.binary(max_size=200), st.integers(0, len(RAW)).map(lambda cut: RAW[:cut])))
@FUZZ
def test_bytes_are_an_order_or_a_refusal(caller: Shop, raw: bytes) -> None:
    _check(caller, raw)


def _check(caller: Shop, body: object) -> int:
    """Send it twice; return the status after checking what it promises."""
    text = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False)
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    before = rows_written()
    key = uuid4().hex
    answer = caller.post(ORDERS, raw, idempotency_key=key)
    after = rows_written()
    again = caller.post(ORDERS, raw, idempotency_key=key)

    assert answer.status_code in (201, 400, 413, 422), (raw, answer.content)
    assert (again.status_code, again.content) == (answer.status_code, answer.content)
    assert rows_written() == after
    if answer.status_code == 201:
        _check_order(caller, answer)
    else:
        assert after == before
        assert answer.headers["Content-Type"] == "application/problem+json"
    status: int = answer.status_code
    event(f"answered {status}")
    return status


def _check_order(caller: Shop, answer: Any) -> None:
    shown = answer.json()
    order = Order.objects.get(pk=shown["id"])
    total_minor = order.total_minor
    assert shown["total"] == {"amount": total_minor, "currency": order.currency}
    assert (
        sum(line["total"]["amount"] for line in shown["lines"]) + shown["shipping"]["amount"] == total_minor
    )
    for line in shown["lines"]:
        assert line["total"]["amount"] == line["quantity"] * line["unit_price"]["amount"]
    amounts = list(Payment.objects.filter(order_id=order.pk).values_list("amount_minor", flat=True))
    assert sum(amounts) == sum(payment["amount"]["amount"] for payment in shown["payments"]) == total_minor
    assert min(amounts) > 0
    assert Saga.objects.filter(business_key=order.pk).count() == 1
    assert LoggedEvent.objects.filter(aggregateid=order.pk).count() == 1
    assert caller.get(answer.headers["Location"]).json() == shown
