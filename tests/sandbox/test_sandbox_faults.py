"""Each fault: what the client sees, and what the book holds afterwards."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import stripe

# A fault of a request, the error that the SDK raises, and whether the money was authorized.
FAULTS = {
    "error_before": (stripe.APIError, False),
    "error_after": (stripe.APIError, True),
    "reset_before": (stripe.APIConnectionError, False),
    "reset_after": (stripe.APIConnectionError, True),
    "throttle": (stripe.RateLimitError, False),
    "lose_answer": (stripe.APIConnectionError, True),
    "lose_request": (stripe.APIConnectionError, False),
    "truncate": (stripe.APIError, True),
}


def _authorizations(gateway, order_id):
    return gateway.summary(order_id)["orders"].get(order_id, {"open_authorizations": 0})[
        "open_authorizations"
    ]


def _create(client, order_id, *, key=None, method="pm_card_visa"):
    return client.v1.payment_intents.create(
        {
            "amount": 1299,
            "currency": "eur",
            "capture_method": "manual",
            "confirm": True,
            "payment_method": method,
            "metadata": {"order_id": order_id},
        },
        {"idempotency_key": key or order_id},
    )


@pytest.mark.parametrize("by", ["operation", "method"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_shows_its_error_and_leaves_its_effect(gateway, fault, by):
    error, effect = FAULTS[fault]
    order_id = f"{fault}-{by}"
    client = gateway.client(timeout_s=0.5)
    method = "pm_card_visa"
    if by == "method":
        method = f"pm_card_visa_fault_{fault}"
    else:
        gateway.fault(fault, operation="create", times=1)

    with pytest.raises(error) as met:
        _create(client, order_id, method=method)

    assert type(met.value) is error
    assert _authorizations(gateway, order_id) == effect
    if fault.startswith("error_"):
        assert met.value.http_status == 500


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if not fault.startswith("error_")])
def test_after_a_fault_the_same_key_gets_the_truth(gateway, fault):
    client = gateway.client(timeout_s=0.5)
    order_id = f"again-{fault}"
    with pytest.raises(stripe.StripeError):
        _create(client, order_id, method=f"pm_card_visa_fault_{fault}")

    intent = _create(client, order_id, method=f"pm_card_visa_fault_{fault}")

    assert intent.status == "requires_capture"
    assert _authorizations(gateway, order_id) == 1


@pytest.mark.parametrize(("fault", "effect"), [("error_before", 0), ("error_after", 1)])
def test_a_500_is_stored_and_replayed(gateway, fault, effect):
    order_id = f"stored-{fault}"
    gateway.fault(fault, operation="create", times=1)
    for _ in range(2):
        with pytest.raises(stripe.APIError) as met:
            _create(gateway.stripe, order_id)

    assert met.value.headers["Idempotent-Replayed"] == "true"
    assert _authorizations(gateway, order_id) == effect


def test_a_500_that_is_not_stored_leaves_the_key_free(gateway):
    gateway.fault("error_before", operation="create", times=1, stored=False)
    with pytest.raises(stripe.APIError):
        _create(gateway.stripe, "unstored")

    assert _create(gateway.stripe, "unstored").status == "requires_capture"


def test_throttling_says_when_to_come_back(gateway):
    gateway.fault("throttle", delay_ms=2_500, times=1)

    with pytest.raises(stripe.RateLimitError) as met:
        gateway.intents.list()

    assert met.value.http_status == 429
    assert met.value.headers["Retry-After"] == "3"


def test_a_slow_answer_has_its_effect_after_the_client_gave_up(gateway, wait_until):
    gateway.fault("slow", operation="create", delay_ms=700, times=1)

    with pytest.raises(stripe.APIConnectionError):
        _create(gateway.client(timeout_s=0.2), "slow")

    assert _authorizations(gateway, "slow") == 0
    wait_until(lambda: _authorizations(gateway, "slow") == 1)


@pytest.mark.parametrize(("fault", "effect"), [("lose_answer", 1), ("lose_request", 0)])
def test_silence_ends_with_a_dropped_connection(gateway, fault, effect):
    gateway.fault(fault, delay_ms=300, times=1)
    started = time.monotonic()

    with pytest.raises(stripe.APIConnectionError):
        _create(gateway.stripe, f"dropped-{fault}")

    assert 0.25 < time.monotonic() - started < 5
    assert _authorizations(gateway, f"dropped-{fault}") == effect


def test_a_lost_request_is_logged_without_an_answer_and_leaves_the_key_free(gateway, wait_until):
    gateway.fault("lose_request", times=1)
    with pytest.raises(stripe.APIConnectionError):
        _create(gateway.client(timeout_s=0.3), "unheard")

    intent = _create(gateway.stripe, "unheard")

    assert intent.status == "requires_capture"
    log = wait_until(lambda: [rows for rows in [gateway.requests("unheard")] if len(rows) == 2])[0]
    assert sorted((row["fault"] or "", row["status"], row["replayed"]) for row in log) == [
        ("", 200, 0),
        ("lose_request", None, 0),
    ]


def test_garbage_is_never_an_answer_and_comes_in_every_kind(gateway):
    gateway.fault("garbage", operation="create")
    seen = set()
    for number in range(20):
        with pytest.raises(stripe.StripeError) as met:
            _create(gateway.stripe, f"garbage-{number}")
        body = met.value.http_body or ""
        seen.add("html" if "<html>" in body else "half" if body else "cut off")
        assert _authorizations(gateway, f"garbage-{number}") == 1

    assert seen == {"html", "half", "cut off"}


def test_down_resets_every_call_until_it_is_over_and_can_be_cleared(gateway, wait_until):
    gateway.fault("down", for_s=0.4)
    with pytest.raises(stripe.APIConnectionError):
        gateway.intents.list()
    with pytest.raises(stripe.APIConnectionError):
        _create(gateway.stripe, "down")

    assert _authorizations(gateway, "down") == 0
    wait_until(lambda: not gateway.http.get("/_faults").json()["data"])
    assert gateway.intents.list({"limit": 1}).data is not None
    gateway.fault("down", for_s=60)
    assert gateway.http.delete("/_faults").json() == {"cleared": 1}
    assert gateway.intents.list({"limit": 1}).data is not None


@pytest.mark.parametrize(
    ("operation", "call"),
    [
        ("capture", lambda gateway, intent: gateway.intents.capture(intent.id)),
        ("cancel", lambda gateway, intent: gateway.intents.cancel(intent.id)),
        ("retrieve", lambda gateway, intent: gateway.intents.retrieve(intent.id)),
        ("list", lambda gateway, intent: gateway.intents.search({"query": "status:'x'"})),
        ("refund", lambda gateway, intent: gateway.refunds.create({"payment_intent": intent.id})),
        ("confirm", lambda gateway, intent: gateway.intents.confirm(intent.id)),
    ],
)
def test_a_fault_meets_only_its_operation(gateway, operation, call):
    intent = gateway.authorize()
    gateway.fault("throttle", operation=operation)

    assert gateway.authorize().status == "requires_capture"
    with pytest.raises(stripe.RateLimitError):
        call(gateway, intent)

    assert gateway.http.get("/_faults").json()["data"][0]["struck"] == 1


def test_the_log_shows_what_was_received_and_what_left(gateway, wait_until):
    gateway.fault("reset_after", operation="create", times=1)
    with pytest.raises(stripe.APIConnectionError):
        _create(gateway.stripe, "logged", key="key-of-logged")
    intent = _create(gateway.stripe, "logged", key="key-of-logged")
    gateway.intents.capture(intent.id)

    log = wait_until(lambda: [row for row in [gateway.requests("logged")] if row[0]["replied_at"]])[0]

    rows = [
        (row["operation"], row["fault"], row["status"], row["replayed"], row["replied_at"] is not None)
        for row in reversed(log)
    ]
    assert rows == [
        ("create", "reset_after", 200, 0, False),
        ("create", None, 200, 1, True),
        ("capture", None, 200, 0, True),
    ]
    assert {row["idempotency_key"] for row in log[1:]} == {"key-of-logged"}
    assert log[1]["body_hash"] == log[2]["body_hash"]


def test_the_same_seed_gives_the_same_faults(start_gateway):
    def outcomes(seed):
        gateway = start_gateway("--seed", seed)
        gateway.fault("throttle", operation="list", probability=0.5)
        seen = []
        for _ in range(30):
            answer = gateway.http.get("/v1/payment_intents", auth=("sk_test_sandbox", ""))
            seen.append(answer.status_code)
        gateway.stop()
        return seen

    first = outcomes("1")

    assert set(first) == {200, 429}
    assert outcomes("1") == first
    assert outcomes("2") != first


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"fault": "meteor"},
        {"fault": "slow", "operation": "dance"},
        {"fault": "slow", "probability": 1.5},
        {"fault": "slow", "probability": True},
        {"fault": "slow", "delay_ms": -1},
        {"fault": "slow", "for_s": 0},
        {"fault": "slow", "times": 0},
        {"fault": "slow", "colour": "blue"},
        {"fault": "slow", "delay_ms": 700_000},
        {"fault": "stale_reads", "operation": "create"},
        {"fault": "webhook_drop"},
        {"fault": "clock_skew"},
        [],
    ],
)
def test_a_fault_that_cannot_be_is_refused(gateway, body):
    answer = gateway.http.post("/_faults", json=body)

    assert answer.status_code == 400
    assert answer.json()["error"]["message"]
    assert gateway.http.get("/_faults").json() == {"data": []}


def test_latency_delays_each_answer_and_none_waits_for_another(gateway):
    gateway.http.post("/_config", json={"latency_ms": 300}).raise_for_status()
    started = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: _create(gateway.client(), f"latency-{n}"), range(8)))
    spent = time.monotonic() - started

    assert 0.3 <= spent < 1.5
