"""What a client of the API sees of its limit."""

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.views import APIView

from orders.models import Order
from resilience.apikeys.cache import known_keys
from resilience.apikeys.keys import limit_key
from resilience.limits.throttling import ApiKeyThrottle
from tests.api.foundation import assert_problem
from tests.api.shop import ORDERS, Shop
from tests.orders_kit import stock

pytestmark = pytest.mark.django_db


def limited(shop: Shop, *, per_s: float, burst: int) -> Shop:
    limit_key(prefix=shop.key.prefix, rate_per_s=per_s, burst=burst)
    known_keys.forget_all()
    return shop


def test_every_answer_says_what_is_left(shop: Shop) -> None:
    limited(shop, per_s=0.01, burst=4)

    answers = [
        shop.get(ORDERS),
        shop.get(f"{ORDERS}/nothing"),
        shop.get(f"{ORDERS}?no=such"),
        shop.order(b"x"),
    ]

    assert [answer.status_code for answer in answers] == [200, 404, 400, 400]
    # An address that is none belongs to nobody and is not counted.
    assert [answer.headers.get("RateLimit") for answer in answers] == [
        '"key";r=3;t=100',
        None,
        '"key";r=2;t=200',
        '"key";r=1;t=300',
    ]
    assert answers[0].headers["RateLimit-Policy"] == '"key";q=4;w=400'


def test_over_the_limit_nothing_is_done(shop: Shop) -> None:
    stock(10)
    limited(shop, per_s=0.01, burst=1)
    assert shop.order(key="first").status_code == 201

    refused = shop.order(key="second")

    assert_problem(refused, 429, "throttled")
    assert refused.json()["detail"] == (
        "This API key may send 0.01 requests a second, 1 at once. Wait, and send it again."
    )
    assert 90 <= int(refused.headers["Retry-After"]) <= 100
    assert refused.headers["RateLimit"].startswith('"key";r=0;t=')
    assert Order.objects.count() == 1


def test_a_request_that_is_answered_anew_counts_once(shop: Shop) -> None:
    limited(shop, per_s=0.01, burst=2)
    shop.key.refresh_from_db()
    http_request = HttpRequest()
    times = [Request(http_request) for _time in range(3)]

    for request in times:
        request.auth = shop.key
        assert ApiKeyThrottle().allow_request(request, APIView())

    assert shop.get(ORDERS).headers["RateLimit"].startswith('"key";r=0;')


def test_each_key_has_its_own(shop: Shop) -> None:
    limited(shop, per_s=0.01, burst=1)
    other = limited(Shop(client="other"), per_s=0.01, burst=1)

    assert [shop.get(ORDERS).status_code, shop.get(ORDERS).status_code] == [200, 429]
    assert other.get(ORDERS).status_code == 200


def test_without_one_of_its_own_a_key_has_that_of_the_settings(shop: Shop, settings: object) -> None:
    assert shop.get(ORDERS).headers["RateLimit-Policy"] == '"key";q=2000;w=2'


def test_a_new_limit_counts_at_once(shop: Shop) -> None:
    limited(shop, per_s=0.01, burst=1)
    assert [shop.get(ORDERS).status_code, shop.get(ORDERS).status_code] == [200, 429]

    limited(shop, per_s=5, burst=10)

    assert shop.get(ORDERS).headers["RateLimit-Policy"] == '"key";q=10;w=2'


def test_who_has_no_key_is_not_counted(shop: Shop) -> None:
    answer = shop._http.get(ORDERS)

    assert answer.status_code == 401
    assert "RateLimit" not in answer.headers


def test_the_command_sets_and_removes_a_limit(shop: Shop) -> None:
    call_command("api_key_limit", shop.key.prefix, "--per-s", "2.5", "--burst", "7")
    shop.key.refresh_from_db()
    assert (shop.key.rate_per_s, shop.key.burst) == (2.5, 7)

    call_command("api_key_limit", shop.key.prefix)
    shop.key.refresh_from_db()
    assert (shop.key.rate_per_s, shop.key.burst) == (None, None)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--per-s", "2"), "a limit is both a rate and a burst, or neither"),
        (("--burst", "2"), "a limit is both a rate and a burst, or neither"),
        (("--per-s", "0", "--burst", "1"), "lets nothing pass"),
        (("--per-s", "nan", "--burst", "1"), "lets nothing pass"),
        (("--per-s", "1", "--burst", "0"), "lets nothing pass"),
    ],
)
def test_a_limit_that_is_none_is_refused(shop: Shop, arguments: tuple[str, ...], complaint: str) -> None:
    with pytest.raises(CommandError, match=complaint):
        call_command("api_key_limit", shop.key.prefix, *arguments)

    shop.key.refresh_from_db()
    assert (shop.key.rate_per_s, shop.key.burst) == (None, None)


def test_an_unknown_key_is_named() -> None:
    with pytest.raises(CommandError, match="There is no key hf_0123_"):
        call_command("api_key_limit", "0123")


@pytest.mark.parametrize(
    ("rate_per_s", "burst"),
    [(1.0, None), (None, 1), (0.0, 1), (-1.0, 1), (1.0, 0), (float("inf"), 1), (float("nan"), 1)],
)
def test_the_database_refuses_a_limit_that_is_none(
    shop: Shop, rate_per_s: float | None, burst: int | None
) -> None:
    shop.key.rate_per_s, shop.key.burst = rate_per_s, burst

    with pytest.raises(IntegrityError, match="api_key_limit_is_whole"), transaction.atomic():
        shop.key.save()
