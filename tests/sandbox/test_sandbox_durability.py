"""A book that survives: every effect that was acknowledged is in it after a kill."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import stripe

from payments.sandbox.book import open_for_writing


def test_every_acknowledged_effect_survives_a_kill_under_load(start_gateway, wait_until):
    gateway = start_gateway()
    captured: set[str] = set()
    killed = threading.Event()

    def pay(worker):
        client = gateway.client()
        number = 0
        while not killed.is_set():
            number += 1
            order_id = f"{worker}-{number}"
            try:
                intent = client.v1.payment_intents.create(
                    {"amount": 700, "currency": "eur", "capture_method": "manual", "confirm": True,
                     "payment_method": "pm_card_visa", "metadata": {"order_id": order_id}}
                )  # fmt: skip
                client.v1.payment_intents.capture(intent.id)
            except stripe.APIConnectionError:
                return
            captured.add(order_id)

    with ThreadPoolExecutor(8) as pool:
        workers = [pool.submit(pay, number) for number in range(8)]
        wait_until(lambda: len(captured) > 50)
        gateway.kill()
        killed.set()
        for worker in workers:
            worker.result(10)
    acknowledged = set(captured)
    gateway.start()

    orders = gateway.summary()["orders"]
    assert acknowledged <= orders.keys()
    assert all(orders[order_id]["captured"] == 700 for order_id in acknowledged)
    assert all(order["captured"] in (0, 700) for order in orders.values())
    # Each worker had at most one payment under way.
    assert len(orders) <= len(acknowledged) + 8
    assert gateway.stop() == 0


def test_keys_are_remembered_over_a_restart(start_gateway):
    gateway = start_gateway()
    first = gateway.authorize(options={"idempotency_key": "over"})
    gateway.kill()
    gateway.start()

    second = gateway.authorize(options={"idempotency_key": "over"})

    assert second.id == first.id
    assert second.last_response.headers["Idempotent-Replayed"] == "true"


def test_the_book_can_be_read_from_outside_while_it_is_written(gateway):
    intent = gateway.authorize(metadata={"order_id": "outside"})

    connection = sqlite3.connect(f"file:{gateway.book}?mode=ro", uri=True)
    row = connection.execute(
        "SELECT order_id, amount, amount_captured, status FROM charges WHERE intent_id = ?", (intent.id,)
    ).fetchone()
    connection.close()

    assert row == ("outside", 1299, 0, "succeeded")


def test_the_book_waits_for_the_disk(tmp_path):
    connection = open_for_writing(tmp_path / "book.sqlite3")

    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    connection.close()


def test_totals_are_kept_per_currency(start_gateway):
    gateway = start_gateway()
    for currency in ("eur", "eur", "jpy"):
        intent = gateway.authorize(currency=currency, metadata={"order_id": f"in-{currency}"})
        gateway.intents.capture(intent.id)
    gateway.authorize(currency="jpy")

    summary = gateway.summary()

    assert summary["orders"]["in-eur"]["captured"] == 2598
    assert summary["orders"]["in-eur"]["captures"] == 2
    eur, jpy = summary["totals"]["eur"], summary["totals"]["jpy"]
    assert (eur["captured"], eur["authorized"]) == (2598, 0)
    assert (jpy["captured"], jpy["authorized"], jpy["open_authorizations"]) == (1299, 1299, 1)
    charges = gateway.http.get("/_book/charges", params={"order_id": "in-jpy"}).json()["data"]
    assert [(charge["amount_captured"], charge["intent_status"]) for charge in charges] == [
        (1299, "succeeded")
    ]
