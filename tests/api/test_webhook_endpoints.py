"""Webhook endpoints over HTTP: made, changed, tested and deleted by their owner, and by nobody else."""

from typing import Any

import pytest
from django.db import connection

from resilience import clock
from resilience.apikeys.cache import known_keys
from resilience.ids import new_id
from resilience.timeline import Window
from resilience.webhooks import endpoints
from resilience.webhooks.models import WebhookDelivery
from resilience.webhooks.timeline import delivery_entries
from tests.api.foundation import Caller, assert_problem
from tests.api.shop import Shop
from tests.webhooks_kit import HOST, hear, receiving, send_until, tell

pytestmark = pytest.mark.django_db(transaction=True)
ENDPOINTS = "/api/v1/webhook-endpoints"
DELIVERIES = "/api/v1/webhook-deliveries"
PERMISSIONS = ("webhooks.read", "webhooks.write")
NOBODYS = "01890000-0000-7000-8000-000000000000"
URL = f"http://{HOST}:9/hooks"


@pytest.fixture(autouse=True)
def _trusted(settings) -> None:
    known_keys.forget_all()
    settings.WEBHOOKS_TRUSTED_HOSTS = [HOST]


@pytest.fixture
def owner() -> Shop:
    return Shop(client="shop", permissions=PERMISSIONS)


def made(owner: Shop, **changes: Any) -> Any:
    answer = owner.post(ENDPOINTS, {"url": URL, **changes})
    assert answer.status_code == 201, answer.content
    return answer.json()


def patch(owner: Shop, path: str, body: str) -> Any:
    return owner.generic("PATCH", path, body.encode())


def test_the_secret_is_shown_once(owner: Shop) -> None:
    created = owner.post(ENDPOINTS, {"url": URL, "types": ["order.placed"], "ordering": "aggregate"})
    endpoint = created.json()

    shown = owner.get(created.headers["Location"]).json()
    [listed] = owner.get(ENDPOINTS).json()["data"]

    assert endpoint.pop("secret").startswith("whsec_")
    assert shown == listed == endpoint
    assert (shown["types"], shown["ordering"], shown["enabled"]) == (["order.placed"], "aggregate", True)


def test_a_new_secret_is_another_one_and_the_old_one_goes_on_for_a_day(owner: Shop) -> None:
    endpoint = made(owner)

    rotated = owner.post(f"{ENDPOINTS}/{endpoint['id']}/rotate-secret", b"").json()

    assert rotated["secret"] != endpoint["secret"]
    assert rotated["previous_secret_until"] is not None


def test_what_is_changed_and_what_is_left(owner: Shop) -> None:
    path = f"{ENDPOINTS}/{made(owner, description='mine')['id']}"

    off = patch(owner, path, '{"enabled": false}').json()
    on = patch(owner, path, '{"enabled": true, "types": ["order.confirmed"]}').json()

    assert (off["enabled"], off["disabled_reason"], off["description"]) == (False, "owner", "mine")
    assert (on["enabled"], on["disabled_reason"], on["types"]) == (True, None, ["order.confirmed"])


def test_a_name_is_resolved_before_the_row_is_locked_and_only_for_its_owner(
    owner: Shop, monkeypatch: Any
) -> None:
    path, asked = f"{ENDPOINTS}/{made(owner)['id']}", []

    def resolve(host: str, _port: int) -> list[str]:
        asked.append((host, connection.in_atomic_block))
        return ["93.184.216.34"]

    monkeypatch.setattr(endpoints, "system_resolver", resolve)
    changed = patch(owner, path, '{"url": "https://hooks.example.com/"}')
    missing = patch(owner, f"{ENDPOINTS}/{NOBODYS}", '{"url": "https://elsewhere.example.com/"}')

    assert changed.status_code == 200
    assert_problem(missing, 404, "webhook_endpoint_not_found")
    assert asked == [("hooks.example.com", False)]


def test_deleted_is_deleted(owner: Shop) -> None:
    path = f"{ENDPOINTS}/{made(owner)['id']}"

    assert owner.send("DELETE", path).status_code == 204
    assert_problem(owner.get(path), 404, "webhook_endpoint_not_found")


def test_an_endpoint_is_its_owners_alone(owner: Shop) -> None:
    endpoint = made(owner)
    hear()
    tell(1)
    [delivery] = owner.get(f"{ENDPOINTS}/{endpoint['id']}/deliveries").json()["data"]
    other = Shop(client="another", permissions=PERMISSIONS)

    for path in (f"{ENDPOINTS}/{endpoint['id']}", f"{ENDPOINTS}/{endpoint['id']}/deliveries"):
        assert_problem(other.get(path), 404, "webhook_endpoint_not_found")
    for action in ("rotate-secret", "test"):
        answer = other.post(f"{ENDPOINTS}/{endpoint['id']}/{action}", b"")
        assert_problem(answer, 404, "webhook_endpoint_not_found")
    assert_problem(other.get(f"{DELIVERIES}/{delivery['id']}"), 404, "webhook_delivery_not_found")
    again = other.post(f"{DELIVERIES}/{delivery['id']}/redeliver", b"")
    assert_problem(again, 404, "webhook_delivery_not_found")
    assert other.get(ENDPOINTS).json()["data"] == []


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "validation_failed"),
        ({"url": URL, "unknown": 1}, 400, "validation_failed"),
        ({"url": URL, "types": ["order.eaten"]}, 400, "validation_failed"),
        ({"url": URL, "types": "order.placed"}, 400, "validation_failed"),
        ({"url": URL, "ordering": "best"}, 400, "validation_failed"),
        ({"url": URL, "enabled": 1}, 400, "validation_failed"),
        ({"url": "https://127.0.0.2/"}, 422, "webhook_url_refused"),
        ({"url": "https://localhost/"}, 422, "webhook_url_refused"),
        ({"url": "http://hooks.example.com/"}, 422, "webhook_url_refused"),
        ({"url": "https://nobody.invalid/"}, 422, "webhook_url_refused"),
    ],
)
def test_bad_endpoints_are_refused_and_nothing_is_kept(
    owner: Shop, body: dict[str, Any], status: int, code: str
) -> None:
    assert_problem(owner.post(ENDPOINTS, body), status, code)
    assert owner.get(ENDPOINTS).json()["data"] == []


def test_the_same_address_twice_and_too_many_are_refused(owner: Shop, monkeypatch: Any) -> None:
    monkeypatch.setattr(endpoints, "ENDPOINTS_MAX", 2)
    made(owner)
    assert_problem(owner.post(ENDPOINTS, {"url": URL}), 422, "webhook_endpoint_exists")
    made(owner, url=f"{URL}/2")

    assert_problem(owner.post(ENDPOINTS, {"url": f"{URL}/3"}), 422, "webhook_endpoints_exhausted")


def test_a_test_event_its_log_and_sending_it_again(owner: Shop) -> None:
    with receiving() as receiver:
        receiver.answer = lambda _received: (200, {}, b"<b>thanks</b>")
        endpoint = made(owner, url=receiver.url)
        asked = owner.post(f"{ENDPOINTS}/{endpoint['id']}/test", b"")
        assert asked.status_code == 202
        send_until(lambda: WebhookDelivery.objects.get().state == "delivered")

        shown = owner.get(f"{DELIVERIES}/{asked.json()['id']}").json()
        again = owner.post(f"{DELIVERIES}/{asked.json()['id']}/redeliver", b"")
        send_until(lambda: len(receiver.came) == 2)

    [attempt] = shown["log"]
    assert (shown["type"], shown["state"], shown["attempts"]) == ("webhook.test", "delivered", 1)
    assert (attempt["status"], attempt["reply"], attempt["error"]) == (200, "<b>thanks</b>", None)
    assert again.json()["state"] == "pending"
    assert receiver.came[0].body == receiver.came[1].body == shown["body"].encode()


def test_all_that_failed_is_sent_again(owner: Shop) -> None:
    endpoint = made(owner)
    hear()
    tell(1, 2, 3)
    now = clock.now()
    WebhookDelivery.objects.filter(sequence__lt=3).update(state="failed", due_at=None, settled_at=now)
    path = f"{ENDPOINTS}/{endpoint['id']}"

    answer = owner.post(f"{path}/redeliver", {"since": "2026-01-01T00:00:00Z"})

    assert (answer.status_code, answer.json()) == (202, {"redelivered": 2, "next_after": None})
    assert owner.get(f"{path}/deliveries?state=failed").json()["data"] == []
    assert len(owner.get(f"{path}/deliveries?state=pending").json()["data"]) == 3
    assert_problem(owner.get(f"{path}/deliveries?state=lost"), 400, "validation_failed")
    assert_problem(owner.post(f"{path}/redeliver", {}), 400, "validation_failed")


def test_all_are_sent_again_piece_by_piece_and_none_twice(owner: Shop, monkeypatch: Any) -> None:
    monkeypatch.setattr(endpoints, "REDELIVERED_MAX", 2)
    path = f"{ENDPOINTS}/{made(owner)['id']}/redeliver"
    hear()
    tell(1, 2, 3, 4, 5)
    settled = {"state": "delivered", "due_at": None, "settled_at": clock.now()}
    WebhookDelivery.objects.update(**settled)
    asked: dict[str, Any] = {"since": "2026-01-01T00:00:00Z", "only": "all"}
    counts = []

    while True:
        answer = owner.post(path, asked).json()
        counts.append(answer["redelivered"])
        # Delivered at once: a call that began at the first one again would send these once more.
        WebhookDelivery.objects.update(**settled)
        if answer["next_after"] is None:
            break
        asked["after"] = answer["next_after"]

    assert counts == [2, 2, 1]
    assert_problem(owner.post(path, {**asked, "after": "x"}), 400, "validation_failed")


def test_nothing_is_sent_to_an_endpoint_that_is_off(owner: Shop) -> None:
    endpoint = made(owner, enabled=False)

    answer = owner.post(f"{ENDPOINTS}/{endpoint['id']}/test", b"")

    assert_problem(answer, 422, "webhook_endpoint_disabled")


def test_a_key_that_may_read_may_not_write(owner: Shop) -> None:
    reader = Caller(client="shop", permissions=("webhooks.read",))

    assert reader.get(ENDPOINTS).status_code == 200
    assert_problem(reader.post(ENDPOINTS, {"url": URL}), 403, "permission_denied")
    assert_problem(reader.get(f"{ENDPOINTS}/{NOBODYS}"), 404, "webhook_endpoint_not_found")


def test_the_timeline_of_an_order_shows_what_became_of_its_webhooks(owner: Shop) -> None:
    order_id = new_id()
    with receiving() as receiver:
        endpoint = made(owner, url=receiver.url)
        hear()
        tell(1, aggregate=order_id)
        send_until(lambda: WebhookDelivery.objects.get().state == "delivered")

    due, delivered = delivery_entries(aggregate_ids=[order_id], window=Window())

    assert (due.title, delivered.title) == ("test.happened: webhook due", "test.happened: webhook delivered")
    assert (delivered.kind, str(delivered.details["endpoint_id"])) == ("webhook_out", endpoint["id"])
    assert delivered.details["attempts"] == 1
