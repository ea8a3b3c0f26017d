"""Malformed addresses, and malformed requests to the catalogue, with the problem that answers each."""

import json

from tests.api.malformed import CARD, JSON, VALID, Bad
from tests.api.shop import ORDERS, PAYMENTS, PRODUCTS
from tests.orders_kit import SKU

NOBODYS = "01890000-0000-7000-8000-000000000000"


def reading(path: str, status: int, code: str, place: str | None = None, **headers: str) -> Bad:
    return Bad(f"GET {path}"[:90], status, code, place, method="GET", path=path, headers=dict(headers))


LISTS = [
    *[
        reading(f"{ORDERS}?limit={limit}", 400, VALID, "limit")
        for limit in (*["0", "-1", "101", "1e1", "1.0", "x", "01", "+1", "%D9%A1"], "9" * 30)
    ],
    *[
        reading(f"{ORDERS}?cursor={cursor}", 400, "invalid_cursor", "cursor")
        for cursor in (
            *["x", ".", "x.y", "MDE4OTAwMDA", "%F0%9F%9A%B2", "1", "%3D%3D.%3D"],
            "x" * 500,
            NOBODYS,
            "' OR 1=1 --",
        )
    ],
    *[
        reading(f"{ORDERS}?status={status}", 400, VALID, "status")
        for status in ["paid", "PENDING", "pending,confirmed", "None", "1"]
    ],
    *[
        reading(f"{ORDERS}?{name}={time}", 400, VALID, name)
        for name in ("placed_after", "placed_before")
        for time in (
            "x",
            "2020-01-01",
            "1577836800",
            "2020-13-01T00:00:00Z",
            "2020-01-01T00:00:00+00:00",
            "0001-01-01T00:00:00%2B23:59",
        )
    ],
    *[
        reading(f"{ORDERS}?{name}=1", 400, "invalid_query", name)
        for name in [
            "page",
            "page_size",
            "tenant",
            "client",
            "_connector",
            "status__in",
            "ordering",
            "fields",
            "search",
            "Status",
        ]
    ],
    *[
        reading(f"{ORDERS}?{name}=", 400, "invalid_query", name)
        for name in ("limit", "cursor", "status", "customer", "placed_after")
    ],
    reading(f"{ORDERS}?limit=1&limit=2", 400, "invalid_query", "limit"),
    reading(f"{ORDERS}?customer=" + "x" * 1025, 400, "invalid_query", "customer"),
    reading(f"{ORDERS}?customer=%00", 400, "invalid_query", ""),
    reading(f"{ORDERS}?customer=%ff", 400, "invalid_query", ""),
    reading(f"{ORDERS}?customer=%ed%a0%80", 400, "invalid_query", ""),
    reading(f"{ORDERS}?" + "&".join(f"p{n}=1" for n in range(200)), 400, "invalid_query", ""),
    reading(f"{PRODUCTS}?status=pending", 400, "invalid_query", "status"),
    reading(f"{PRODUCTS}?cursor=VEVB", 400, "invalid_cursor", "cursor"),
    reading(f"{ORDERS}?api_key=x", 400, "api_key_in_url"),
]
PATHS = [
    *[
        reading(f"{base}/{name}", 404, "not_found")
        for base in (ORDERS, PAYMENTS)
        for name in (
            *["1", "x", "%7B%7D", "..", "%E6%97%A5", "%FF"],
            "",
            NOBODYS.replace("0", "A"),
            NOBODYS[:-1],
            f"{NOBODYS}0",
            f"{NOBODYS}/",
            NOBODYS.replace("-", ""),
        )
    ],
    reading(f"{ORDERS}/{NOBODYS}", 404, "order_not_found"),
    reading(f"{PAYMENTS}/{NOBODYS}", 404, "payment_not_found"),
    reading(f"{ORDERS}/{NOBODYS}%00", 400, "invalid_query", ""),
    reading(f"{PRODUCTS}/a%2Fb", 404, "not_found"),
    reading(f"{PRODUCTS}/a/b", 404, "not_found"),
    reading(f"{PRODUCTS}/a%00b", 400, "invalid_query", ""),
    reading(f"{PRODUCTS}/%FF", 404, "product_not_found"),
    reading(f"{PRODUCTS}/%ED%A0%80", 404, "product_not_found"),
    reading(f"{PRODUCTS}/%E6%97%A5", 404, "product_not_found"),
    reading(f"{PRODUCTS}/" + "x" * 5_000, 404, "product_not_found"),
    reading(f"{PRODUCTS}/%27%20OR%201%3D1%20--", 404, "product_not_found"),
    reading("/api/v1/%F0%9F%9A%B2", 404, "not_found"),
    reading("/api/v1/" + "x" * 10_000, 404, "not_found"),
    reading(f"{ORDERS}/{NOBODYS}/timeline", 404, "order_not_found"),
    reading(f"{ORDERS}/x/timeline", 404, "not_found"),
    reading(f"{ORDERS}/{NOBODYS}/timeline/", 404, "not_found"),
    reading(f"{ORDERS}/{NOBODYS}/timeline?limit=101", 400, VALID, "limit"),
    reading(f"{ORDERS}/{NOBODYS}/timeline?cursor=MDE4OTAwMDA.x", 400, "invalid_cursor", "cursor"),
    reading(f"{ORDERS}/{NOBODYS}/timeline?kind=step", 400, "invalid_query", "kind"),
    *[
        reading(f"{PAYMENTS}/{NOBODYS}/refunds/{name}", 404, "not_found")
        for name in ("1", "x", "", NOBODYS[:-1], f"{NOBODYS}/", NOBODYS.replace("-", ""))
    ],
    reading(f"{PAYMENTS}/{NOBODYS}/refunds", 404, "payment_not_found"),
    reading(f"{PAYMENTS}/{NOBODYS}/refunds/{NOBODYS}", 404, "payment_not_found"),
    reading(f"{PAYMENTS}/x/refunds", 404, "not_found"),
    reading(f"{PAYMENTS}/{NOBODYS}/refunds?limit=0", 400, VALID, "limit"),
    reading(f"{PAYMENTS}/{NOBODYS}/refunds?cursor=x", 400, "invalid_cursor", "cursor"),
    reading(f"{PAYMENTS}/{NOBODYS}/refunds?status=pending", 400, "invalid_query", "status"),
    Bad("refund no id", 404, "not_found", None, path=f"{PAYMENTS}/x/refunds"),
    Bad("cancel nobody's", 404, "order_not_found", None, path=f"{ORDERS}/{NOBODYS}/cancel"),
    Bad("cancel no id", 404, "not_found", None, path=f"{ORDERS}/x/cancel"),
]


def putting(name: str, place: str | None, body: object, code: str = VALID, *, sku: str = SKU) -> Bad:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Bad(f"PUT {name}", 400, code, place, raw, method="PUT", path=f"{PRODUCTS}/{sku}")


def counting(literal: str, code: str = VALID) -> Bad:
    body = b'{"adjust": %s}' % literal.encode()
    return Bad(f"adjust {literal[:30]}", 400, code, "/adjust", body, path=f"{PRODUCTS}/{SKU}/stock")


PRICE = {"amount": 1, "currency": "EUR"}
CATALOGUE = [
    putting("nothing", "/name", {}),
    putting("no price", "/price", {"name": "n"}),
    putting("a bare price", "/price", {"name": "n", "price": 1}),
    putting("a negative price", "/price/amount", {"name": "n", "price": {**PRICE, "amount": -1}}),
    putting("a broken price", "/price/amount", {"name": "n", "price": {**PRICE, "amount": 1.5}}),
    putting("a huge price", "/price/amount", {"name": "n", "price": {**PRICE, "amount": 10**12 + 1}}),
    putting("no currency", "/price/currency", {"name": "n", "price": {"amount": 1}}),
    putting("a lower-case currency", "/price/currency", {"name": "n", "price": {**PRICE, "currency": "eur"}}),
    putting("its stock", "/stock", {"name": "n", "price": PRICE, "stock": {"on_hand": 9}}),
    putting("another sku", "/sku", {"name": "n", "price": PRICE, "sku": "X"}),
    putting("a long name", "/name", {"name": "n" * 201, "price": PRICE}),
    putting("a card", "/name", {"name": CARD, "price": PRICE}, "card_number_refused"),
    putting("a NUL", "/name", b'{"name": "\\u0000"}', JSON),
    putting("under a card", None, {"name": "n", "price": PRICE}, "card_number_refused", sku=CARD),
    putting("under a space", "sku", {"name": "n", "price": PRICE}, sku="a%20b"),
    putting("under 65", "sku", {"name": "n", "price": PRICE}, sku="x" * 65),
    *[counting(literal) for literal in ('"1"', "1.0", "null", "true", "1000000001", "-1000000001")],
    counting("9" * 30, JSON),
]


def refunding(
    literal: bytes, place: str | None, code: str = VALID, *, status: int = 400, **headers: str | None
) -> Bad:
    """A refund of nobody's payment: what is wrong with it is told before anything is looked up."""
    path = f"{PAYMENTS}/{NOBODYS}/refunds"
    return Bad(f"refund {literal[:40]!r} {headers}", status, code, place, literal, path=path, headers=headers)


REFUNDS = [
    *[
        refunding(b'{"amount": %s}' % literal, "/amount")
        for literal in (b"0", b"-1", b'"1"', b"1.0", b"1e2", b"true", b"null", b"[]", b"{}", b"-0")
    ],
    refunding(b'{"amount": 1000000000001}', "/amount"),
    refunding(b'{"amount": %s}' % (b"9" * 30), "/amount", JSON),
    refunding(b'{"amount": NaN}', "/amount", JSON),
    *[
        refunding(b'{"reason": %s}' % literal, "/reason")
        for literal in (b"1", b"null", b'""', b'" x"', b'"a\\nb"', b"[]", b'"%s"' % (b"x" * 256))
    ],
    refunding(b'{"reason": "\\u0000"}', "/reason", JSON),
    refunding(json.dumps({"reason": f"to {CARD}"}).encode(), "/reason", "card_number_refused"),
    refunding(json.dumps({"note": CARD}).encode(), "/note", "card_number_refused"),
    *[
        refunding(b'{"%s": 1}' % name, f"/{name.decode()}")
        for name in (b"currency", b"payment_id", b"source", b"status", b"metadata")
    ],
    refunding(b"[]", "", JSON),
    refunding(b'{"amount": 1, "amount": 2}', "", JSON),
    refunding(b"{", "", JSON),
    refunding(b'{"amount": 1}', "Idempotency-Key", "idempotency_key_missing", idempotency_key=None),
    refunding(b'{"amount": 1}', "Idempotency-Key", "idempotency_key_invalid", idempotency_key=""),
    refunding(b'{"amount": 1}', "Prefer", prefer="wait=31"),
    refunding(b'{"amount": 1}', "Prefer", prefer="wait=x"),
    refunding(b"x" * (1024 * 1024 + 1), None, "body_too_large", status=413),
]

MALFORMED_ADDRESSES = {"lists": LISTS, "paths": PATHS, "catalogue": CATALOGUE, "refunds": REFUNDS}
