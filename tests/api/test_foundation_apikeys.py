"""A key opens what it names, nothing else, and not longer than it lives."""

from datetime import timedelta

import pytest
from django.test import Client
from rest_framework.views import APIView

from resilience import clock
from resilience.apikeys.cache import KEY_CACHED_S, KEYS_CACHED_MAX, KeyCache, known_keys
from resilience.apikeys.keys import issue_key, revoke_key
from resilience.apikeys.models import ApiKey
from tests.api.foundation import Caller, assert_problem

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.api.foundation_urls")]
THINGS = "/api/v1/things"


@pytest.fixture(autouse=True)
def _unknown_keys() -> None:
    known_keys.forget_all()


def test_a_key_is_shown_once_and_stored_as_a_hash() -> None:
    key, plaintext = issue_key(client="shop", name="web", permissions=["orders.read"], now=clock.now())

    stored = ApiKey.objects.filter(pk=key.pk).values_list().get()
    secret = plaintext.rsplit("_", 1)[1]
    assert plaintext.startswith(f"hf_{key.prefix}_")
    assert len(bytes.fromhex(secret)) == 32
    assert secret not in str(stored)
    assert bytes.fromhex(secret) not in [
        bytes(value) for value in stored if isinstance(value, bytes | memoryview)
    ]


@pytest.mark.parametrize(
    ("client", "permission"), [("Shop", "orders.read"), ("", "orders.read"), ("shop", "all")]
)
def test_a_key_for_nobody_or_nothing_is_not_issued(client: str, permission: str) -> None:
    with pytest.raises(ValueError, match=r"slug|permissions"):
        issue_key(client=client, name="web", permissions=[permission], now=clock.now())

    assert ApiKey.objects.count() == 0


def test_no_key_is_a_401_that_says_how() -> None:
    answer = Client().get(THINGS)

    assert_problem(answer, 401, "not_authenticated")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="holdfast"'


def test_every_wrong_key_is_the_same_401() -> None:
    caller = Caller()
    expired_at = clock.now() - timedelta(seconds=1)
    _key, expired = issue_key(
        client="shop",
        name="old",
        permissions=["orders.read"],
        now=expired_at - timedelta(days=1),
        expires_at=expired_at,
    )
    wrong = [
        "Bearer",
        "Bearer x",
        f"Token {caller.plaintext}",
        caller.plaintext,
        f"Bearer  {caller.plaintext}",
        f"Bearer {caller.plaintext}0",
        f"Bearer {caller.plaintext[:-1]}{'0' if caller.plaintext[-1] != '0' else '1'}",
        f"Bearer hf_{'0' * 12}_{'0' * 64}",
        f"Bearer {caller.plaintext.upper()}",
        f"Bearer {expired}",
        "Bearer é",
        "Basic dXNlcjpwYXNz",
    ]
    answers = [
        Client().get(THINGS, headers={"Authorization": value.encode().decode("latin-1")}) for value in wrong
    ]

    assert {assert_problem(answer, 401, "api_key_invalid")["detail"] for answer in answers} == {
        "The API key is not valid."
    }


def test_a_key_is_looked_up_once_while_it_is_remembered(django_assert_num_queries: object) -> None:
    caller = Caller()
    caller.get("/api/v1/raising/refused")

    with django_assert_num_queries(0):  # type: ignore[operator]
        answer = caller.get("/api/v1/raising/refused")

    assert_problem(answer, 422, "out_of_things")


def test_a_revoked_key_is_refused_within_a_second() -> None:
    caller = Caller()
    now_s = [100.0]
    cache = KeyCache(monotonic=lambda: now_s[0])
    before = cache.find(caller.key.prefix)
    revoke_key(prefix=caller.key.prefix, now=clock.now())
    revoke_key(prefix=caller.key.prefix, now=clock.now())

    now_s[0] += KEY_CACHED_S
    after = cache.find(caller.key.prefix)

    assert KEY_CACHED_S < 1
    assert before is not None
    assert before.revoked_at is None
    assert after is not None
    assert after.revoked_at is not None
    known_keys.forget_all()
    assert_problem(caller.get(THINGS), 401, "api_key_invalid")


def test_revoking_an_unknown_key_says_so() -> None:
    with pytest.raises(ApiKey.DoesNotExist):
        revoke_key(prefix="0" * 12, now=clock.now())


def test_the_memory_for_keys_is_bounded_and_strangers_take_no_room() -> None:
    cache = KeyCache()
    key = Caller().key
    for number in range(KEYS_CACHED_MAX + 5):
        cache._remember(f"{number}", key, until_s=1e12)
    held = len(cache._found)

    assert cache.find("0" * 12) is None
    assert len(cache._found) == held <= KEYS_CACHED_MAX


def test_a_key_without_the_permission_is_a_403_that_names_it() -> None:
    reader = Caller(permissions=("orders.read",))

    document = assert_problem(
        reader.post(THINGS, {"name": "a"}, idempotency_key="k"), 403, "permission_denied"
    )

    assert "orders.write" in document["detail"]
    assert reader.get(THINGS).status_code == 200


def test_a_view_or_method_that_declares_no_permission_is_denied() -> None:
    everything = Caller(permissions=("orders.read", "orders.write", "payments.refund", "catalogue.write"))

    assert_problem(everything.get("/api/v1/undeclared"), 403, "permission_denied")
    assert_problem(everything.send("DELETE", "/api/v1/partly"), 403, "permission_denied")
    assert everything.get("/api/v1/partly").status_code == 200
    assert everything.send("HEAD", "/api/v1/partly").status_code == 200


def test_the_global_default_is_deny_and_authenticated() -> None:
    assert [kind.__name__ for kind in APIView.permission_classes] == ["HasPermission"]
    assert [kind.__name__ for kind in APIView.authentication_classes] == ["ApiKeyAuthentication"]


def test_a_key_in_the_address_is_refused_even_with_a_good_header() -> None:
    caller = Caller()

    for query in (
        f"api_key={caller.plaintext}",
        f"x={caller.plaintext}",
        f"x={caller.plaintext.replace('_', '%5F')}",
        "limit=1&access_token=whatever",
    ):
        answer = caller.get(f"{THINGS}?{query}")
        assert_problem(answer, 400, "api_key_in_url")
        assert caller.plaintext not in answer.content.decode()
