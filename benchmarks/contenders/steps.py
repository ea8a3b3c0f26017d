"""The five steps as the peers take them: the least that a typical team would write.

They write less than Holdfast does: no operation with its key before a call, no event but the last,
no ledger, no step log of their own (DBOS keeps one itself). What they leave out is to their advantage.
"""

from functools import cache
from threading import local

import requests
from django.conf import settings
from django.db import connection, transaction

from benchmarks.gateway import INTENTS
from resilience.ids import new_id

_thread = local()


def reserve(order_id: str) -> None:
    """Hold the stock of the order's lines."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE orders_product p SET reserved = p.reserved + l.quantity"
            " FROM orders_order_line l WHERE l.order_id = %s AND p.sku = l.sku",
            [order_id],
        )
        cursor.execute(
            "INSERT INTO orders_reservation (order_id, product_id, quantity, status)"
            " SELECT order_id, sku, quantity, 'held' FROM orders_order_line WHERE order_id = %s",
            [order_id],
        )


def authorize(order_id: str) -> None:
    """Ask the gateway to reserve the money, and note its reference."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, amount_minor, currency, method FROM payments_payment WHERE order_id = %s", [order_id]
        )
        payment_id, amount_minor, currency, method = cursor.fetchone()
    intent = _post(
        INTENTS,
        key=f"authorize-{payment_id}",
        form={
            "amount": amount_minor,
            "currency": currency.lower(),
            "payment_method": method,
            "capture_method": "manual",
            "confirm": "true",
            "metadata[order_id]": order_id,
        },
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE payments_payment SET status = 'authorized', gateway = %s, reference = %s WHERE id = %s",
            [settings.GATEWAYS[0]["name"], intent["id"], payment_id],
        )


def capture(order_id: str) -> None:
    """Take the money that was reserved, and note it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, amount_minor, reference FROM payments_payment WHERE order_id = %s", [order_id]
        )
        payment_id, amount_minor, reference = cursor.fetchone()
    _post(
        f"{INTENTS}/{reference}/capture",
        key=f"capture-{payment_id}",
        form={"amount_to_capture": amount_minor},
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE payments_payment SET status = 'captured', captured_minor = amount_minor,"
            " settled_at = clock_timestamp() WHERE id = %s",
            [payment_id],
        )


def confirm(order_id: str) -> None:
    """Sell the stock and confirm the order."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE orders_product p SET on_hand = p.on_hand - r.quantity, reserved = p.reserved - r.quantity"
            " FROM orders_reservation r WHERE r.order_id = %s AND p.sku = r.product_id",
            [order_id],
        )
        cursor.execute("UPDATE orders_reservation SET status = 'committed' WHERE order_id = %s", [order_id])
        cursor.execute("UPDATE orders_order SET status = 'confirmed' WHERE id = %s", [order_id])


def finish(order_id: str) -> None:
    """Tell that the order is settled."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE orders_order SET settled_at = clock_timestamp() WHERE id = %s", [order_id])
        cursor.execute(_TELL, [new_id(), order_id])


# As an outbox of a peer would look: one row, no stream, the same table and indexes.
_TELL = """
INSERT INTO resilience_event (id, aggregatetype, aggregateid, sequence, type, version, payload, xid,
                              occurred_at, recorded_at)
SELECT %s, 'order', id, 2, 'order.confirmed', 1,
       jsonb_build_object('order_id', id, 'total_minor', total_minor),
       pg_current_xact_id(), clock_timestamp(), clock_timestamp()
FROM orders_order WHERE id = %s
"""


def _post(path: str, *, key: str, form: dict[str, object]) -> dict[str, str]:
    answer = _session().post(_url() + path, data=form, headers={"Idempotency-Key": key}, timeout=10)
    answer.raise_for_status()
    body: dict[str, str] = answer.json()
    return body


def _session() -> requests.Session:
    """Return this thread's session: sessions are not promised to be thread-safe."""
    if not hasattr(_thread, "session"):
        _thread.session = requests.Session()
        # Looking for proxies at every call would cost a third of it.
        _thread.session.trust_env = False
        _thread.session.auth = _authorized
    return _thread.session  # type: ignore[no-any-return]


def _authorized(request: requests.PreparedRequest) -> requests.PreparedRequest:
    request.headers["Authorization"] = f"Bearer {settings.GATEWAYS[0]['secret_key']}"
    return request


@cache
def _url() -> str:
    return str(settings.GATEWAYS[0]["url"])
