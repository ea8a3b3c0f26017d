"""Which account a payment goes to: a share for each by its weight, the same for a payment every time."""

from collections import Counter
from dataclasses import replace
from uuid import UUID

import pytest

from payments.gateways.routing import WEIGHT_DEFAULT, Account, next_account, read_account, route
from payments.states import MethodType

PAYMENTS = [UUID(int=number) for number in range(10_000)]
ONE, TWO, THREE = Account("one"), Account("two"), Account("three")
# Five standard deviations of a share of ten thousand draws are at most this many payments.
SHARE_ERROR_MAX = 250


def first_of(accounts: list[Account], *, currency: str = "EUR") -> dict[UUID, str]:
    """Return who is asked first for each payment."""
    return {
        payment_id: route(accounts, currency=currency, method_type=MethodType.CARD, payment_id=payment_id)[
            0
        ].name
        for payment_id in PAYMENTS
    }


def names(accounts: list[Account], *, currency: str = "EUR", method_type: MethodType = MethodType.CARD):
    routed = route(accounts, currency=currency, method_type=method_type, payment_id=PAYMENTS[7])
    return sorted(account.name for account in routed)


# --- Shares ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "weights",
    [
        {"one": 100, "two": 100},
        {"one": 90, "two": 10},
        {"one": 1, "two": 1, "three": 2},
        {"one": 50, "two": 30, "three": 20},
        {"one": 1, "two": 0},
    ],
)
def test_each_account_gets_the_share_that_its_weight_gives_it(weights: dict[str, int]):
    accounts = [Account(name, weight=weight) for name, weight in weights.items()]

    shares = Counter(first_of(accounts).values())

    total = sum(weights.values())
    for name, weight in weights.items():
        assert abs(shares[name] - len(PAYMENTS) * weight // total) <= SHARE_ERROR_MAX * bool(weight % total)


def test_the_second_choices_have_their_shares_too():
    accounts = [Account("one", weight=98), Account("two", weight=1), Account("three", weight=1)]
    routes = [
        route(accounts, currency="EUR", method_type=MethodType.CARD, payment_id=payment_id)
        for payment_id in PAYMENTS
    ]

    seconds = Counter(routed[1].name for routed in routes if routed[0].name == "one")

    assert abs(seconds["two"] - seconds["three"]) <= 2 * SHARE_ERROR_MAX


def test_a_payment_has_the_same_route_every_time_whatever_the_order_of_the_settings():
    accounts = [ONE, TWO, THREE]

    assert first_of(accounts) == first_of(accounts[::-1])


def test_the_route_of_a_payment_stays_from_release_to_release():
    # Computed once and pinned: another hash would move half of the payments at a deploy.
    assert [first_of([ONE, TWO, THREE])[payment_id] for payment_id in PAYMENTS[:8]] == [
        "three",
        "one",
        "two",
        "three",
        "two",
        "two",
        "one",
        "one",
    ]


@pytest.mark.parametrize("weight", [0, 50, 200])
def test_a_change_of_one_weight_moves_payments_to_or_from_that_account_only(weight: int):
    before = first_of([ONE, TWO, THREE])
    after = first_of([ONE, replace(TWO, weight=weight), THREE])

    moved = [payment_id for payment_id in PAYMENTS if before[payment_id] != after[payment_id]]

    source = before if weight < WEIGHT_DEFAULT else after
    assert {source[payment_id] for payment_id in moved} == {"two"}
    shares = {0: 3333, 50: 3333 - 2000, 200: 5000 - 3333}
    assert abs(len(moved) - shares[weight]) <= SHARE_ERROR_MAX


def test_an_account_that_leaves_takes_only_its_own_payments_along():
    before, after = first_of([ONE, TWO, THREE]), first_of([ONE, THREE])

    assert {before[payment_id] for payment_id in PAYMENTS if before[payment_id] != after[payment_id]} == {
        "two"
    }


def test_an_account_without_weight_is_asked_last():
    spare = Account("spare", weight=0)

    routes = {
        tuple(
            account.name
            for account in route(
                [spare, ONE, TWO], currency="EUR", method_type=MethodType.CARD, payment_id=payment_id
            )
        )
        for payment_id in PAYMENTS[:200]
    }

    assert routes == {("one", "two", "spare"), ("two", "one", "spare")}


def test_an_account_without_weight_gets_what_no_other_takes():
    spare = Account("spare", weight=0)

    assert set(first_of([spare, replace(ONE, currencies=frozenset({"EUR"}))], currency="BRL").values()) == {
        "spare"
    }


# --- Who takes what ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("currency", "method_type", "taking"),
    [
        ("EUR", MethodType.CARD, ["all", "cards", "euros"]),
        ("BRL", MethodType.CARD, ["all", "cards"]),
        ("EUR", MethodType.VOUCHER, ["all", "euros"]),
        ("BRL", MethodType.BOLETO, ["all", "slips"]),
        ("EUR", MethodType.BOLETO, ["all", "euros"]),
    ],
)
def test_a_payment_goes_to_accounts_that_take_its_currency_and_its_method(
    currency: str, method_type: MethodType, taking: list[str]
):
    accounts = [
        Account("all"),
        Account("euros", currencies=frozenset({"EUR"})),
        Account("cards", methods=frozenset({MethodType.CARD})),
        Account("slips", currencies=frozenset({"BRL"}), methods=frozenset({MethodType.BOLETO})),
        Account("nothing", methods=frozenset()),
    ]

    assert names(accounts, currency=currency, method_type=method_type) == taking


@pytest.mark.parametrize("accounts", [[], [Account("cards", methods=frozenset({MethodType.CARD}))]])
def test_a_payment_that_nobody_takes_has_no_route(accounts: list[Account]):
    assert names(accounts, method_type=MethodType.BOLETO) == []


def test_an_account_is_read_from_the_settings():
    full = {
        "name": "br",
        "currencies": ["BRL"],
        "methods": ["boleto", "card"],
        "weight": 0,
        "fails_over_on": ["processing_error"],
        "secret_key": "sk_test_x",
    }

    assert read_account({"name": "one"}) == ONE
    assert read_account(full) == Account(
        "br",
        frozenset({"BRL"}),
        frozenset({MethodType.BOLETO, MethodType.CARD}),
        0,
        frozenset({"processing_error"}),
    )
    with pytest.raises(ValueError, match="cash"):
        read_account({"name": "one", "methods": ["cash"]})


# --- Who comes next ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after", "without", "following"),
    [
        ("one", [], TWO),
        ("two", [], THREE),
        ("three", [], ONE),
        ("one", ["two"], THREE),
        ("two", ["three"], ONE),
        ("two", ["one", "three"], None),
        ("one", ["one"], TWO),
        # An account that was taken out of the settings: begin in front.
        ("gone", [], ONE),
        ("gone", ["one"], TWO),
    ],
)
def test_the_next_account_comes_in_turn(after: str, without: list[str], following: Account | None):
    assert next_account([ONE, TWO, THREE], after=after, without=without) == following


@pytest.mark.parametrize("routed", [[], [ONE]])
def test_nobody_comes_after_the_only_one(routed: list[Account]):
    assert next_account(routed, after="one") is None
