"""Malformed requests: each is its documented problem, none is a 500, and none writes anything."""

import json
from typing import Any

import pytest

from orders.models import Product
from resilience.apikeys.cache import known_keys
from resilience.rest.errors import ERRORS_MAX
from tests.api.foundation import assert_problem
from tests.api.malformed import CARD, CARDS, FULL, MALFORMED_ORDERS, Bad
from tests.api.malformed_addresses import MALFORMED_ADDRESSES
from tests.api.shop import EVERYTHING, ORDERS, Shop, answers_stored, rows_written
from tests.orders_kit import stock

pytestmark = pytest.mark.django_db
# More would make a small request a large answer.
ANSWER_BYTES_MAX = 20_000
TABLE = MALFORMED_ORDERS | MALFORMED_ADDRESSES


@pytest.fixture
def caller() -> Shop:
    """Somebody who may do everything, so that nothing is refused for want of a permission."""
    known_keys.forget_all()
    stock(10)
    return Shop(permissions=EVERYTHING)


def send(caller: Shop, bad: Bad, *, key: str = "k") -> Any:
    headers = {"idempotency_key": key, **bad.headers}
    given = {name: value for name, value in headers.items() if value is not None}
    return caller.generic(bad.method, bad.path, bad.body, content_type=bad.content_type, **given)


def test_what_the_table_spoils_is_fine_unspoilt(caller: Shop) -> None:
    assert caller.order(FULL).status_code == 201


def test_the_table_is_long_and_says_nothing_twice() -> None:
    requests = [
        (bad.method, bad.path, bad.body, bad.content_type, str(bad.headers))
        for group in TABLE.values()
        for bad in group
    ]

    assert len(requests) > 500
    assert len(set(requests)) == len(requests)


@pytest.mark.parametrize("group", TABLE.values(), ids=TABLE.keys())
def test_a_malformed_request_is_its_problem_and_writes_nothing(caller: Shop, group: list[Bad]) -> None:
    # One test for a whole group, since to begin a test takes longer than ten requests.
    before = rows_written(), list(Product.objects.values())
    wrong: dict[str, object] = {}

    for number, bad in enumerate(group):
        answer = send(caller, bad, key=f"key-{number}")
        document = assert_problem(answer, bad.status, bad.code)
        places = [error["field"] for error in document.get("errors", [])]
        if (places[0] if places else None) != bad.place or len(places) > ERRORS_MAX:
            wrong[bad.name] = places
        if CARD in answer.content.decode().replace(bad.path, "") or len(answer.content) > ANSWER_BYTES_MAX:
            wrong[bad.name] = answer.content

    assert wrong == {}
    assert (rows_written(), list(Product.objects.values())) == before
    assert answers_stored() == sum(bad.status == 422 for bad in group)


def test_a_refused_request_leaves_no_trace_of_a_card_in_the_log(
    caller: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    for bad in CARDS:
        send(caller, bad)

    assert CARD not in caplog.text
    assert "4242 4242" not in caplog.text


@pytest.mark.parametrize("token", ["x", "", "1-0", "0-0/0", "-1", "9" * 1000, "1-FFFFFFFF/FFFFFFFF", "\x7f"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_consistency_token_is_ever_an_error(caller: Shop, method: str, token: str) -> None:
    answer = caller.generic(
        method,
        ORDERS,
        json.dumps(FULL).encode() if method == "POST" else b"",
        idempotency_key="k",
        consistency_token=token,
    )

    assert answer.status_code == {"GET": 200, "POST": 201}[method]


@pytest.mark.parametrize(
    "prefer", ["", "x", "wait", "=", ";;;", "wait;x=1", "return=minimal", "x" * 5000, "é"]
)
def test_a_preference_that_is_not_known_is_ignored(caller: Shop, prefer: str) -> None:
    answer = caller.order(FULL, prefer=prefer.encode().decode("latin-1"))

    assert answer.status_code == 201
    assert "Preference-Applied" not in answer.headers


@pytest.mark.parametrize(
    "text",
    [
        "' OR 1=1 --",
        "{{7*7}} %s %(x)s {0}",
        "<script>alert(1)</script>",
        "=cmd|' /C calc'!A0",
        "../../etc/passwd",
        "🚲 日本 \u202e‮",
        "a\\u0000b",
        "4006381333931",
        "1234567890123456",
    ],
)
def test_text_that_only_looks_bad_is_kept_as_it_is(caller: Shop, text: str) -> None:
    body = {**FULL, "customer": {"reference": text}, "metadata": {text[:64]: text}}

    answer = caller.order(body)

    assert answer.status_code == 201, answer.content
    again = caller.get(answer.headers["Location"]).json()
    assert (again["customer"]["reference"], again["metadata"]) == (text, {text[:64]: text})
