"""What operators do from the dashboard: it asks first, needs permission and a reason, and is written down."""

from dataclasses import replace
from html import unescape

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django_otp.plugins.otp_totp.models import TOTPDevice

from config.dashboard.acting.act import Wish
from config.dashboard.acting.registry import ACTS
from config.roles import OPERATOR
from resilience.audit_trail.models import AuditTrail, StaffAction
from resilience.breaker.models import BreakerOverride
from resilience.events.models import EventReplay, SubscriptionState
from resilience.flags.models import FlagChange
from resilience.ids import new_id
from resilience.saga.models import OperatorAction, Saga
from resilience.saga.states import SagaStatus
from resilience.webhooks.models import WebhookDelivery, WebhookEndpoint
from resilience.webhooks.states import DeliveryState
from tests.acting_kit import LIST, a_viewer, act, address, an_operator, parked_saga, person
from tests.admin_rows import (
    NOW,
    make_delivery,
    make_endpoint,
    make_saga,
)

pytestmark = pytest.mark.django_db

SINCE = "2026-03-01 12:00:00"


@pytest.fixture
def operator() -> Client:
    return an_operator()


@pytest.fixture
def viewer() -> Client:
    return a_viewer()


def test_an_act_says_what_follows_and_changes_nothing_yet(operator: Client):
    saga = parked_saga()

    page = unescape(operator.get(address("saga-retry", saga.pk)).content.decode())

    assert f"place_order of {saga.business_key}" in page
    assert "Parked because: crashed 3 times" in page
    assert not AuditTrail.objects.exists()
    saga.refresh_from_db()
    assert saga.status == SagaStatus.PARKED


def test_an_act_is_done_and_kept_with_who_and_why(operator: Client):
    saga = parked_saga()

    answer = act(operator, "saga-retry", saga.pk, reason="the bug is mended")

    assert (answer.status_code, answer["Location"]) == (302, LIST)
    saga.refresh_from_db()
    assert saga.status == SagaStatus.RUNNING
    [deed] = AuditTrail.objects.all()
    assert (deed.by, deed.action, deed.subject, deed.reason) == (
        "ann",
        "retry",
        str(saga.pk),
        "the bug is mended",
    )


def test_nothing_is_done_without_a_reason(operator: Client):
    saga = parked_saga()

    answer = act(operator, "saga-retry", saga.pk, reason="  ")

    assert answer.status_code == 400
    assert not OperatorAction.objects.exists()


@pytest.mark.parametrize("name", ACTS)
def test_a_viewer_can_do_nothing(viewer: Client, name: str):
    assert viewer.get(address(name, new_id())).status_code == 403
    assert viewer.post(address(name, new_id()), {"reason": "because"}).status_code == 403
    assert not AuditTrail.objects.exists()


@pytest.mark.parametrize("name", ACTS)
def test_who_has_not_signed_in_is_asked_to(client: Client, name: str):
    answer = client.get(address(name, new_id()))

    assert answer.status_code == 302
    assert "/admin/login/" in answer["Location"]


@pytest.mark.parametrize("name", ACTS)
@pytest.mark.parametrize("id_", ["nonsense", "00000000-0000-0000-0000-000000000000", "' OR 1=1 --"])
def test_what_is_not_there_is_said_and_nothing_is_kept(operator: Client, name: str, id_: str):
    values = {
        "value": "on",
        "state": "forced_open",
        "minutes": "5",
        "rate": "8",
        "per_s": "9",
        "since": SINCE,
    }

    assert operator.get(address(name, id_)).status_code == 200
    answer = act(operator, name, id_, **values)

    assert answer.status_code == 302
    # A breaker may be forced before anybody used it.
    is_name = name == "breaker-force" and id_ != "' OR 1=1 --"
    assert is_name or not AuditTrail.objects.exists()


def test_without_a_subject_or_with_too_many_it_is_refused(operator: Client):
    assert operator.get(reverse("dashboard:act", args=["saga-retry"])).status_code == 400
    assert operator.get(address("saga-retry", *(new_id() for _ in range(51)))).status_code == 400
    assert operator.get(address("no-such-act", new_id())).status_code == 404


def test_it_never_leads_to_another_site(operator: Client):
    saga = parked_saga()

    answer = act(operator, "saga-retry", saga.pk, reason="why", back="https://evil.example/")

    assert answer["Location"] == "/admin/"


def test_of_many_each_is_done_by_itself(operator: Client):
    parked, running = parked_saga(), Saga.objects.get(pk=make_saga(0))

    page = unescape(operator.get(address("saga-retry", parked.pk, running.pk)).content.decode())
    answer = act(operator, "saga-retry", parked.pk, running.pk, reason="why", follow=True)

    assert "1 can be done" in page
    told = unescape(answer.content.decode())
    assert "tries again now" in told
    assert "not parked: it looks after itself" in told


def test_what_is_ticked_in_a_list_goes_to_the_act(operator: Client):
    saga = parked_saga()

    answer = operator.post(
        LIST, {"action": "saga-compensate", "_selected_action": [str(saga.pk)], "index": "0"}
    )

    assert answer.status_code == 302
    assert answer["Location"] == address("saga-compensate", saga.pk)


def test_a_viewer_is_offered_nothing(viewer: Client):
    saga = parked_saga()

    assert "saga-retry" not in viewer.get(LIST).content.decode()
    assert viewer.post(LIST, {"action": "saga-retry", "_selected_action": [str(saga.pk)]}).status_code == 405
    assert "saga-retry" not in viewer.get(f"{LIST}{saga.pk}/change/").content.decode()


def test_a_failure_that_nobody_foresaw_hides_nothing_that_was_done(
    operator: Client, monkeypatch: pytest.MonkeyPatch
):
    sagas = [parked_saga() for _ in range(3)]
    wanted = ACTS["saga-retry"]

    def do(wish: Wish) -> str:
        if wish.id == str(sagas[1].pk):
            raise RuntimeError("a bug")
        return wanted.do(wish)

    monkeypatch.setitem(ACTS, "saga-retry", replace(wanted, do=do))

    told = unescape(act(operator, "saga-retry", *(saga.pk for saga in sagas), follow=True).content.decode())

    assert "Try again now: 2 done" in told
    assert "It is not known whether it was done" in told
    assert OperatorAction.objects.count() == 2


def test_a_deed_in_pieces_is_kept_with_what_came_of_it(operator: Client):
    act(operator, "dead-letters-redeliver", "webhooks.out")

    outcomes = list(StaffAction.objects.order_by("at", "pk").values_list("outcome", flat=True))
    assert outcomes == ["was asked for", "0 handed over, 0 failed again, 0 wait"]


def test_somebody_who_lost_their_second_factor_is_let_in_again(operator: Client):
    bob = User.objects.create_user("bob", is_staff=True)
    TOTPDevice.objects.create(user=bob, confirmed=True)

    act(operator, "second-factor-reset", bob.pk)

    assert not TOTPDevice.objects.filter(user=bob).exists()
    assert [deed.action for deed in StaffAction.objects.all()] == ["second-factor-reset"]


def test_an_operator_takes_nobody_s_second_factor():
    bob = User.objects.create_user("bob", is_staff=True)
    TOTPDevice.objects.create(user=bob, confirmed=True)

    assert act(person("cat", OPERATOR), "second-factor-reset", bob.pk).status_code == 403
    assert TOTPDevice.objects.filter(user=bob).exists()


def test_a_breaker_is_forced_and_let_go(operator: Client):
    act(operator, "breaker-force", "gateway:sandbox-1", reason="a drill", state="forced_open", minutes="5")
    assert BreakerOverride.objects.get(pk="gateway:sandbox-1").owner == "ann"

    act(operator, "breaker-release", "gateway:sandbox-1", reason="done")

    assert not BreakerOverride.objects.exists()
    assert [deed.action for deed in AuditTrail.objects.order_by("at")] == ["force forced_open", "release"]


def test_a_forced_breaker_can_be_taken_back(operator: Client):
    answer = act(
        operator,
        "breaker-force",
        "gateway:sandbox-1",
        reason="a drill",
        state="forced_open",
        minutes="5",
        follow=True,
    )

    assert reverse("dashboard:act", args=["breaker-release"]) in answer.content.decode()


@pytest.mark.parametrize("minutes", ["0", "-5", "999999", "soon"])
def test_for_how_long_is_bounded(operator: Client, minutes: str):
    values = {"reason": "a drill", "state": "forced_open", "minutes": minutes}

    assert act(operator, "breaker-force", "gateway:x", **values).status_code == 400
    assert not BreakerOverride.objects.exists()


def test_a_kill_switch_is_set(operator: Client):
    act(operator, "flag-set", "webhooks-out", reason="a storm", value="off")
    refused = act(operator, "flag-set", "webhooks-out", reason="half", value="50%", follow=True)

    assert [change.change for change in FlagChange.objects.all()] == ["set to off"]
    assert "cannot be" in unescape(refused.content.decode())


def test_a_subscription_waits_and_goes_on(operator: Client):
    act(operator, "subscription-pause", "webhooks.out", reason="Redis is moved")
    assert SubscriptionState.objects.get(name="webhooks.out").paused

    act(operator, "subscription-resume", "webhooks.out", reason="moved")
    assert not SubscriptionState.objects.get(name="webhooks.out").paused


def test_a_stretch_of_time_is_replayed_by_the_workers(operator: Client):
    act(operator, "subscription-replay", "orders.refunds", since=SINCE, per_s="50")
    refused = operator.get(address("subscription-replay", "analytics.tallies")).content.decode()

    [replay] = EventReplay.objects.all()
    assert (replay.subscription, replay.carried_per_s, replay.since) == ("orders.refunds", 50.0, NOW)
    assert "It counts what it is handed" in refused
    assert "Replay of" in operator.get("/admin/events/").content.decode()


@pytest.mark.parametrize(("since", "per_s"), [("", "50"), ("soon", "50"), (SINCE, "0"), (SINCE, "1000000")])
def test_a_replay_says_from_when_and_how_fast(operator: Client, since: str, per_s: str):
    assert act(operator, "subscription-replay", "orders.refunds", since=since, per_s=per_s).status_code == 400
    assert not EventReplay.objects.exists()


def test_a_delivery_is_sent_again_and_an_endpoint_turned_off(operator: Client):
    delivery = make_delivery(0)
    WebhookDelivery.objects.filter(pk=delivery).update(
        **{
            "state": DeliveryState.FAILED,
            "due_at": None,
            "tried_since": None,
            "settled_at": "2026-03-01T00:00Z",
        }
    )

    act(operator, "delivery-send", delivery, reason="they mended it")
    assert WebhookDelivery.objects.get(pk=delivery).state == DeliveryState.PENDING

    endpoint = make_endpoint(7)
    act(operator, "endpoint-disable", endpoint, reason="they asked")
    assert WebhookEndpoint.objects.get(pk=endpoint).disabled_at is not None
    assert {deed.action for deed in StaffAction.objects.all()} == {"delivery-send", "endpoint-disable"}
