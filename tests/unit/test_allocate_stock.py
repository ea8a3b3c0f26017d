"""Who gets the stock: whole orders only, in the order they came, never more than there is."""

from collections import Counter
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from orders.steps.reserve_stock import allocate
from orders.store import Want

SKUS = ("apple", "bread", "cheese")
FIRST, SECOND, THIRD = (UUID(int=number) for number in (1, 2, 3))

stocks = st.dictionaries(st.sampled_from(SKUS), st.integers(0, 20))
needs = st.lists(st.dictionaries(st.sampled_from(SKUS), st.integers(1, 10)), max_size=12)


def wants_of(orders: list[dict[str, int]]) -> list[Want]:
    return [
        Want(UUID(int=index), sku, quantity)
        for index, order in enumerate(orders)
        for sku, quantity in order.items()
    ]


def came(orders: list[dict[str, int]]) -> list[UUID]:
    return [UUID(int=index) for index in range(len(orders))]


def taken(orders: list[dict[str, int]], granted: set[UUID]) -> Counter[str]:
    return sum(
        (Counter(order) for index, order in enumerate(orders) if UUID(int=index) in granted), Counter()
    )


@given(stocks, needs)
def test_never_more_than_is_available(available: dict[str, int], orders: list[dict[str, int]]):
    granted = allocate(available, wants_of(orders), first_come=came(orders))

    assert all(
        quantity <= available.get(sku, 0) for sku, quantity in taken(orders, granted).items() if quantity
    )


@given(stocks, needs)
def test_who_came_first_is_served_unless_those_before_left_too_little(
    available: dict[str, int], orders: list[dict[str, int]]
):
    granted = allocate(available, wants_of(orders), first_come=came(orders))

    for index, order in enumerate(orders):
        before = taken(orders[:index], granted)
        fits = all(available.get(sku, 0) - before[sku] >= quantity for sku, quantity in order.items())
        assert (UUID(int=index) in granted) is fits


@given(stocks, needs, st.randoms())
def test_the_order_of_the_lines_does_not_matter(available: dict[str, int], orders, random):
    wants = wants_of(orders)
    shuffled = random.sample(wants, len(wants))

    assert allocate(available, wants, first_come=came(orders)) == allocate(
        available, shuffled, first_come=came(orders)
    )


@given(stocks, needs)
def test_what_is_available_is_left_as_it_was(available: dict[str, int], orders: list[dict[str, int]]):
    before = dict(available)

    allocate(available, wants_of(orders), first_come=came(orders))

    assert available == before


def test_the_last_piece_goes_to_who_came_first_not_to_who_sorts_first():
    wants = [Want(FIRST, "apple", 1), Want(SECOND, "apple", 1)]

    assert allocate({"apple": 1}, wants, first_come=[SECOND, FIRST]) == {SECOND}


def test_an_order_that_cannot_be_served_whole_takes_nothing_from_those_behind():
    wants = [Want(FIRST, "apple", 1), Want(FIRST, "bread", 5), Want(SECOND, "apple", 1)]

    assert allocate({"apple": 1, "bread": 4}, wants, first_come=[FIRST, SECOND]) == {SECOND}


def test_a_smaller_order_may_pass_one_that_does_not_fit():
    wants = [Want(FIRST, "apple", 2), Want(SECOND, "apple", 4), Want(THIRD, "apple", 1)]

    assert allocate({"apple": 3}, wants, first_come=[FIRST, SECOND, THIRD]) == {FIRST, THIRD}


def test_a_product_that_is_gone_has_nothing():
    assert allocate({}, [Want(FIRST, "apple", 1)], first_come=[FIRST]) == set()
