"""Tallies: what happened by minute, hour and day, from events alone, and the same when made anew."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Sum

from analytics.models import Tally
from analytics.projections import MINUTES_KEPT, differences, prune, rebuild
from analytics.subscriptions import TALLIES
from orders.services.cancel_order import cancel_order
from resilience.clock import now
from resilience.events import run_once
from tests.conftest import SandboxClient
from tests.lake_kit import confirmed, declined, placed
from tests.orders_kit import CLIENT, carry_to_the_end, place, stock

pytestmark = pytest.mark.django_db(transaction=True)


def catch_up() -> None:
    while not run_once(TALLIES).idle:
        pass


def counts(grain: str = "day") -> dict[str, int]:
    rows = Tally.objects.filter(grain=grain).values_list("measure").annotate(total=Sum("count"))
    return dict(rows)


def shown() -> list[str]:
    columns = ("grain", "at", "measure", "method_type", "code", "count", "amount_minor")
    return sorted(map(repr, Tally.objects.values_list(*columns)))


def test_each_order_is_counted_once_for_each_thing_that_became_of_it(sandbox: SandboxClient) -> None:
    stock(10)
    paid, refused, returned = place(), place("pm_card_visa_chargeDeclined"), place()
    carry_to_the_end([paid, refused, returned], within_s=20)
    cancel_order(client=CLIENT, order_id=returned, now=now())
    carry_to_the_end([returned], within_s=20)
    catch_up()

    assert counts() == counts("hour") == counts("minute")
    assert {name: count for name, count in counts().items() if name.startswith("order.")} == {
        "order.placed": 3,
        "order.confirmed": 2,
        "order.cancelled": 1,
        "order.returned": 1,
    }
    decline = Tally.objects.get(grain="day", measure="payment.declined")
    assert (decline.count, decline.method_type, decline.code) == (1, "card", "generic_decline")
    assert Tally.objects.get(grain="day", measure="payment.refunded").amount_minor > 0
    assert differences(now=now()) == []


def test_made_anew_they_are_the_same_and_a_difference_is_named() -> None:
    for number in range(5):
        order = placed(at=now() - timedelta(minutes=number), total_minor=100 + number)
        method_type = "boleto" if number % 2 else "card"
        confirmed(order, total_minor=100 + number, method_type=method_type, at=now())
    declined(placed(at=now()), code="expired_card", at=now())
    catch_up()
    before = shown()
    call_command("projections", "verify", stdout=StringIO())

    Tally.objects.filter(measure="order.placed").update(count=77)
    Tally.objects.filter(measure="payment.declined").delete()
    assert any("order.placed in the day" in one for one in differences(now=now()))
    with pytest.raises(CommandError, match="rebuild"):
        call_command("projections", "verify", stdout=StringIO())

    assert rebuild(now=now()) == len(before)
    after = shown()
    assert after == before
    placed(at=now())
    catch_up()
    assert differences(now=now()) == []


def test_old_minutes_are_forgotten_and_hours_and_days_are_not() -> None:
    placed(at=now() - MINUTES_KEPT - timedelta(days=2))
    placed(at=now())
    catch_up()

    assert prune(now=now()) == 1
    assert (counts("minute"), counts("hour")) == ({"order.placed": 1}, {"order.placed": 2})
    assert differences(now=now()) == []
