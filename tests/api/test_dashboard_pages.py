"""The pages of what is now: true to the tables, for who may see them, and bounded in what they ask."""

from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import strip_tags

from config.dashboard.order.drawing import draw
from config.roles import VIEWER, ensure_roles
from payments.models import Payment, Refund
from resilience.breaker.models import BreakerTransition
from resilience.events.models import DeadLetter
from resilience.flags import declared
from resilience.ids import new_id
from resilience.saga.models import Saga, SagaStep
from resilience.saga.states import SagaStatus
from tests.admin_rows import (
    NOW,
    make_dead_letter,
    make_endpoint,
    make_exception,
    make_order,
    make_payment,
    make_saga,
)

pytestmark = pytest.mark.django_db(databases=["default", "replica", "dashboard"])
PAGES = ["/admin/sagas/", "/admin/money/", "/admin/toolkit/", "/admin/events/"]
QUERIES_MAX = 20


@pytest.fixture
def viewer() -> Client:
    ensure_roles()
    user = User.objects.create_user("bob", is_staff=True)
    user.groups.add(Group.objects.get(name=VIEWER))
    client = Client()
    client.force_login(user)
    return client


def words(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return " ".join(unescape(strip_tags(answer.content.decode())).split())


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_for_who_may_see_it(viewer: Client, client: Client, path: str):
    nobody = User.objects.create_user("nobody", is_staff=True)

    assert viewer.get(path).status_code == 200
    assert viewer.post(path).status_code == 405
    assert client.get(path).status_code == 302
    client.force_login(nobody)
    assert client.get(path).status_code == 403


@pytest.mark.parametrize("path", PAGES)
def test_a_page_asks_no_more_for_many_rows(viewer: Client, path: str):
    def make(number: int) -> None:
        make_payment(number)
        make_exception(number)
        make_dead_letter(number)
        make_endpoint(number)
        Saga.objects.filter(pk=make_saga(0)).update(
            **{"status": SagaStatus.PARKED, "parked_from": "running", "parked_reason": "crashed"}
        )

    make(0)
    viewer.get(path)
    with CaptureQueriesContext(connection) as few:
        viewer.get(path)
    for number in range(1, 8):
        make(number)

    with CaptureQueriesContext(connection) as many:
        viewer.get(path)

    assert len(many) == len(few) <= QUERIES_MAX


def test_parked_sagas_come_with_their_reason_and_the_others_at_their_step(viewer: Client):
    parked = make_saga(0)
    Saga.objects.filter(pk=parked).update(
        **{"status": SagaStatus.PARKED, "parked_from": "running", "parked_reason": "the gateway denies it"}
    )
    make_saga(0, cursor=1)
    make_saga(0, cursor=1)

    text = words(viewer, "/admin/sagas/")

    assert "the gateway denies it" in text
    assert "3 sagas have not ended, 3 due now" in text
    answer = viewer.get("/admin/sagas/")
    [definition] = [one for one in answer.context["definitions"] if one["name"] == "place_order"]
    assert [stop.forward.sagas for stop in definition["stops"]][1] == 2
    assert [stop.parked.sagas for stop in definition["stops"]][1] == 1
    assert "saga-retry" not in answer.content.decode()


def test_money_that_is_open_is_told_the_oldest_first(viewer: Client):
    young, old = make_payment(0), make_payment(1)
    Payment.objects.filter(pk=young).update(in_doubt_since=NOW + timedelta(hours=1))

    answer = viewer.get("/admin/money/")

    assert [one["row"].pk for one in answer.context["doubtful"]] == [old, young]
    assert len(answer.context["refunds"]) == Refund.objects.count()
    assert "17.89 EUR" in words(viewer, "/admin/money/")


def test_what_a_subscription_gave_up_is_counted(viewer: Client):
    make_dead_letter(0)
    make_dead_letter(1)
    DeadLetter.objects.filter(pk=make_dead_letter(2)).update(redelivered_at=NOW)

    assert "reader : 2 wait" in words(viewer, "/admin/events/").replace("reader:", "reader :")


def test_every_flag_and_every_check_is_on_the_toolkit(viewer: Client):
    text = words(viewer, "/admin/toolkit/")

    for flag in declared():
        assert flag.name in text


def test_an_order_shows_its_money_its_saga_and_its_story(viewer: Client):
    order_id = make_order(0)
    payment_id = make_payment(0)
    Payment.objects.filter(pk=payment_id).update(order_id=order_id)
    saga_id = make_saga(1)
    Saga.objects.filter(pk=saga_id).update(business_key=order_id)
    BreakerTransition.objects.create(
        breaker="gateway:sandbox-1",
        scope="fleet",
        before="closed",
        after="open",
        process="web:1",
        total=9,
        failed=8,
        slow=0,
        failing_workers=2,
        at=NOW,
    )

    text = words(viewer, f"/admin/orders/order/{order_id}/change/")

    assert "17.89 EUR" in text
    assert "place_order running" in text
    assert "silence 1" in text
    assert "gateway:sandbox-1: closed to open" in text
    assert "authorize asked" in text
    only_saga = words(viewer, f"/admin/orders/order/{order_id}/change/?kind=saga")
    assert "authorize asked" not in only_saga


def test_an_order_that_is_not_there_is_404(viewer: Client):
    assert viewer.get(f"/admin/orders/order/{new_id()}/change/").status_code == 404


def test_a_saga_is_drawn_on_its_own_scale():
    began = datetime(2026, 3, 1, tzinfo=UTC)

    def step(name: str, start_s: float, end_s: float, **of: object) -> SagaStep:
        facts = {"direction": "do", "attempt": 1, "outcome": "done", "error": "", "delay_s": None} | of
        at = {
            "started_at": began + timedelta(seconds=start_s),
            "finished_at": began + timedelta(seconds=end_s),
        }
        return SagaStep(step=name, fence=1, **at, **facts)

    saga = Saga(status=SagaStatus.COMPENSATED, created_at=began, ended_at=began + timedelta(seconds=10))
    steps = [
        step("reserve", 0, 1),
        step("pay", 1, 2, outcome="failed", error="no answer", delay_s=3.0),
        step("pay", 5, 6, outcome="refused"),
        step("reserve", 8, 10, direction="undo"),
    ]

    drawing = draw(saga, steps, now=began + timedelta(days=1))

    assert drawing.took_s == 10
    assert [(row.step, row.is_undo) for row in drawing.rows] == [
        ("reserve", False),
        ("pay", False),
        ("reserve", True),
    ]
    failed, wait, refused = drawing.rows[1].bars
    assert (failed.left, failed.width, failed.level) == (10, 10, "down")
    assert (wait.left, wait.width, wait.level) == (20, 30, "wait")
    assert (refused.left, refused.level) == (50, "reduced")
    assert drawing.rows[2].bars[0].left == 80
