"""An authorization that search does not show yet is looked for in the list, as far as it can be read."""

from dataclasses import replace

import pytest

from payments.gateways.base import Absent, Authorize, InDoubt, Succeeded
from payments.gateways.stripe_lookups import (
    CLOCKS_APART_S_MAX,
    LISTED_PAGES_MAX,
    key_time_s,
)
from tests.unit.scripted_gateway import ScriptedGateway, answer
from tests.unit.stripe_objects import ORDER, PAYMENT, error, gateway, intent, page

# 2025-01-01T00:00:00Z, in the first 48 bits of a UUIDv7.
ASKED_S = 1735689600
_HEX = f"{ASKED_S * 1000:012x}"
KEY = f"authorize-{_HEX[:8]}-{_HEX[8:]}-7abc-8abc-0123456789ab"
AUTHORIZE = Authorize(KEY, ORDER, PAYMENT, 1299, "EUR", "pm_card_visa")
OURS = {"metadata": {"operation_key": KEY}}
NOTHING_FOUND = page()


def listed(*items, has_more=False):
    return page(*items, kind="list", has_more=has_more)


def other(number, **changes):
    return intent(id=f"pi_other_{number}", metadata={"operation_key": "other"}, created=ASKED_S, **changes)


def look_up(*replies):
    with ScriptedGateway(replies) as server:
        result = gateway(server.url).look_up(AUTHORIZE, thoroughly=True)
    return result, [request.split(b" ")[1].decode() for request in server.requests]


def full_pages(*, newest_s):
    first = listed(other(0) | {"created": newest_s}, other(1), has_more=True)
    return [first, *[listed(other(number), has_more=True) for number in range(2, LISTED_PAGES_MAX + 1)]]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (KEY, ASKED_S),
        ("void-" + KEY.removeprefix("authorize-"), ASKED_S),
        ("authorize-00000000-0000-7000-8000-000000000000", 0),
        ("authorize-" + str(PAYMENT), None),  # another version of UUID
        ("key-1", None),
        ("", None),
        (KEY + "-2", None),
    ],
)
def test_a_key_tells_when_it_was_made(key, expected):
    assert key_time_s(key) == expected


def test_an_authorization_that_was_shown_before_is_read_and_not_searched_for():
    request = replace(AUTHORIZE, reference="pi_1")
    with ScriptedGateway([answer(intent(**OURS))]) as server:
        result = gateway(server.url).look_up(request)

    assert result == Succeeded("pi_1", 1299)
    (asked,) = server.requests
    assert asked.startswith(b"GET /v1/payment_intents/pi_1?expand[0]=latest_charge ")


@pytest.mark.parametrize(
    "reply",
    [
        error(404, type="invalid_request_error", code="resource_missing"),
        answer(intent()),
        answer("", status=500),
    ],
    ids=["gone", "of another key", "failing"],
)
def test_an_authorization_that_was_shown_before_is_never_absent(reply):
    with ScriptedGateway([reply]) as server:
        assert isinstance(gateway(server.url).look_up(replace(AUTHORIZE, reference="pi_1")), InDoubt)


def test_what_search_shows_needs_no_list():
    result, asked = look_up(page(intent(**OURS)), answer(intent(**OURS)))

    assert result == Succeeded("pi_1", 1299)
    assert len(asked) == 2


def test_what_search_does_not_show_yet_is_found_in_the_list_and_read_afresh():
    stale = intent(status="requires_payment_method", created=ASKED_S, **OURS)

    result, asked = look_up(NOTHING_FOUND, listed(other(1), stale), answer(intent(**OURS)))

    assert result == Succeeded("pi_1", 1299)
    assert asked[1:] == [
        f"/v1/payment_intents?created[gte]={ASKED_S - CLOCKS_APART_S_MAX}&limit=100",
        "/v1/payment_intents/pi_1?expand[0]=latest_charge",
    ]


def test_it_may_be_on_a_later_page():
    result, asked = look_up(
        NOTHING_FOUND,
        listed(other(1), other(2), has_more=True),
        listed(intent(created=ASKED_S, **OURS), has_more=True),
        answer(intent(**OURS)),
    )

    assert result == Succeeded("pi_1", 1299)
    assert asked[2] == f"{asked[1]}&starting_after=pi_other_2"


def test_what_neither_shows_is_absent():
    result, asked = look_up(NOTHING_FOUND, listed(other(1), has_more=True), listed(other(2)))

    assert result == Absent()
    assert len(asked) == 3


def test_a_list_that_is_too_long_leaves_the_word_to_search():
    result, asked = look_up(NOTHING_FOUND, *full_pages(newest_s=ASKED_S + 60))

    assert result == Absent()
    assert len(asked) == 1 + LISTED_PAGES_MAX


def test_an_absence_that_nobody_believes_yet_is_not_worth_the_list():
    with ScriptedGateway([NOTHING_FOUND]) as server:
        result = gateway(server.url).look_up(AUTHORIZE)

    assert result == Absent()
    assert len(server.requests) == 1


def hundred(*, newest_s, oldest_s):
    others = [other(number) for number in range(98)]
    ends = other(98) | {"created": newest_s}, other(99) | {"created": oldest_s}
    return listed(ends[0], *others, ends[1], has_more=True)


def test_a_list_that_would_be_too_long_is_not_read_to_the_end():
    now_s = ASKED_S + 60

    result, asked = look_up(NOTHING_FOUND, hundred(newest_s=now_s, oldest_s=now_s - 10))

    assert result == Absent()
    assert len(asked) == 2


def test_a_list_of_many_that_is_short_enough_is_read_to_the_end():
    now_s = ASKED_S + 60

    result, asked = look_up(NOTHING_FOUND, hundred(newest_s=now_s, oldest_s=now_s - 20), listed(other(1)))

    assert result == Absent()
    assert len(asked) == 3


@pytest.mark.parametrize(
    "last",
    [
        answer("", status=500),
        answer("nonsense"),
        listed(has_more=True),
        listed(intent(id=None), has_more=True),
        page(),
        error(404, type="invalid_request_error", code="resource_missing"),
    ],
    ids=["a failing page", "nonsense", "an empty page with more", "no cursor", "another kind", "a 404"],
)
def test_a_list_that_cannot_be_read_is_no_absence(last):
    result, _asked = look_up(NOTHING_FOUND, listed(other(1), has_more=True), last)

    assert isinstance(result, InDoubt)


def test_an_intent_of_the_list_that_tells_no_time_is_no_absence():
    result, _asked = look_up(NOTHING_FOUND, listed(intent(id="pi_x", metadata={}), has_more=True))

    assert isinstance(result, InDoubt)


def test_a_key_that_tells_no_time_is_only_searched():
    plain = Authorize("key-1", ORDER, PAYMENT, 1299, "EUR", "pm_card_visa")
    with ScriptedGateway([NOTHING_FOUND]) as server:
        result = gateway(server.url).look_up(plain)

    assert result == Absent()
    assert len(server.requests) == 1
