"""Malformed requests that place an order, and the problem that answers each."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.api.shop import ORDERS, order_body
from tests.orders_kit import SKU

CARD = "4242424242424242"
TOTAL_MINOR_MAX = 99_999_999
FULL = order_body(
    customer={"reference": "customer-1", "email": "a@example.com"},
    lines=[{"sku": SKU, "quantity": 1, "unit_price": 1000}],
    payments=[{"method": "pm_card_visa", "amount": 1000}],
    shipping=0,
    metadata={"note": "n"},
    placed_at="2020-01-01T00:00:00Z",
)
RAW = json.dumps(FULL).encode()
MANY_FIELDS = ", ".join(f'"field{number}": 1' for number in range(1000)).encode()
BEYOND_64_BITS = [{"sku": SKU, "quantity": 10**6, "unit_price": 10**12}] * 100


@dataclass(frozen=True)
class Bad:
    """A request and the problem that answers it. `place`: the field named first, None if none is."""

    name: str
    status: int
    code: str
    place: str | None
    body: bytes = b""
    method: str = "POST"
    path: str = ORDERS
    headers: dict[str, str | None] = field(default_factory=dict)
    content_type: str = "application/json"


def at(place: str, literal: str, code: str, *, status: int = 400, named: str | None = None) -> Bad:
    """A full order with this JSON text at this place."""
    return Bad(
        name=f"{place} = {literal[:40]}",
        status=status,
        code=code,
        place=(place if named is None else named) if status == 400 else None,
        body=body_with(place, literal),
    )


def body_with(place: str, literal: str) -> bytes:
    document = json.loads(json.dumps(FULL))
    *way, last = [int(part) if part.isdigit() else part for part in place.split("/")[1:]]
    target: Any = document
    for part in way:
        target = target[part]
    target[last] = "@@"
    return json.dumps(document, ensure_ascii=False).replace('"@@"', literal).encode("utf-8", "surrogatepass")


def body_without(place: str) -> bytes:
    document = json.loads(json.dumps(FULL))
    *way, last = [int(part) if part.isdigit() else part for part in place.split("/")[1:]]
    target: Any = document
    for part in way:
        target = target[part]
    del target[last]
    return json.dumps(document).encode()


def keyed(name: str, key: str | None, code: str) -> Bad:
    """A full order under this key."""
    return Bad(f"key {name}", 400, code, "Idempotency-Key", RAW, headers={"idempotency_key": key})


def each(places: Iterable[str], literals: Iterable[str], code: str) -> list[Bad]:
    return [at(place, literal, code) for place in places for literal in literals]


INTEGERS = ["/lines/0/quantity", "/lines/0/unit_price", "/payments/0/amount", "/shipping"]
STRINGS = ["/customer/reference", "/customer/email", "/currency", "/lines/0/sku", "/payments/0/method"]
VALID = "validation_failed"
JSON = "invalid_json"
REFUSED_TEXT = ['"\\u0000"', '"a\\u0000b"', '"\\ud800"', '"\\udfff\\ud800"']

NUMBERS = [
    *each(INTEGERS, ['"1"', "1.0", "1e2", "1.5", "true", "null", "[]", "{}", '""', "-0", "-1"], VALID),
    *each(INTEGERS, ["9" * 30, "9" * 5000, str(2**63), f"-{2**63 + 1}", "1e400", "NaN", "-Infinity"], JSON),
    *[
        at(place, literal, JSON, named="")
        for place in INTEGERS
        for literal in ("01", "+1", "0x1", ".5", "1.", "1_000", "１")
    ],
    *each(["/lines/0/quantity", "/payments/0/amount"], ["0"], VALID),
    *each(INTEGERS, [str(2**31), str(2**63 - 1)], VALID)[:2],
    at("/lines/0/quantity", "1000001", VALID),
    *each(INTEGERS[1:], [str(10**12 + 1), str(2**63 - 1)], VALID),
]
TEXTS = [
    *each(
        STRINGS, ["1", "true", "null", "[]", '""', '" x"', '"x "', '"a\\nb"', '"\\u007f"', '"\\u2028"'], VALID
    ),
    *each([*STRINGS, "/metadata/note", "/placed_at"], REFUSED_TEXT, JSON),
    at("/customer/reference", json.dumps("x" * 256), VALID),
    at("/customer/email", json.dumps("x" * 250 + "@x.yz"), VALID),
    *each(["/customer/email"], ['"x"', '"@"', '"a@b@c"', '"a b@c"'], VALID),
    at("/lines/0/sku", json.dumps("x" * 65), VALID),
    *each(["/lines/0/sku"], ['"a/b"', '"é"', '"-a"', '"a%2Fb"', '"\'"'], VALID),
    at("/payments/0/method", json.dumps("x" * 256), VALID),
    *each(["/payments/0/method"], ['"pm card"', '"pm/card"', '"é"'], VALID),
    *each(
        ["/currency"], ['"eur"', '"EURO"', '"EU"', '"XXX"', '"XAU"', '"DEM"', '"CLF"', '"E\\u0055"'], VALID
    ),
]
TIMES = each(
    ["/placed_at"],
    [
        "1577836800",
        "null",
        '""',
        '"2020-01-01"',
        '"2020-01-01T00:00:00"',
        '"2020-01-01 00:00:00Z"',
        '"2020-01-01t00:00:00z"',
        '"2020-02-30T00:00:00Z"',
        '"2020-01-01T24:00:01Z"',
        '"2020-01-01T00:00:60Z"',
        '"2020-01-01T00:00:00.0000001Z"',
        '"0001-01-01T00:00:00+00:01"',
        '"9999-12-31T23:59:59-00:01"',
        '"9999-12-31T23:59:59Z"',
        '"٢٠٢٠-01-01T00:00:00Z"',
    ],
    VALID,
)
SHAPES = [
    *each(["/customer", "/lines/0", "/payments/0"], ["1", '"x"', "[]", "null", "true"], VALID),
    *each(["/lines", "/payments"], ["{}", '"x"', "1", "null", "[]"], VALID),
    *each(["/metadata"], ["[]", '"x"', "1", "null"], VALID),
    at("/lines", json.dumps(FULL["lines"] * 101), VALID),
    at("/payments", json.dumps([{"method": "pm_card_visa"}] * 11), VALID),
    *[
        Bad(f"{place} missing", 400, VALID, place, body_without(place))
        for place in (
            "/customer",
            "/customer/reference",
            "/currency",
            "/lines",
            "/lines/0/sku",
            "/lines/0/quantity",
            "/payments",
            "/payments/0/method",
        )
    ],
    *[
        at(place, "1", VALID)
        for place in (
            "/status",
            "/id",
            "/number",
            "/total",
            "/client",
            "/settled_at",
            "/customer/id",
            "/lines/0/name",
            "/lines/0/total",
            "/lines/0/price",
            "/lines/0/currency",
            "/payments/0/status",
            "/payments/0/currency",
            "/payments/0/captured",
            "/__class__",
            "/",
        )
    ],
]
METADATA = [
    at("/metadata/note", "NaN", JSON),
    at("/metadata/note", "1e400", JSON),
    at("/metadata/note", "9" * 30, JSON),
    at("/metadata", '{"a\\u0000b": 1}', JSON),
    at("/metadata", '{"\\ud800": 1}', JSON),
    at("/metadata", '{"a": {"b": [{"c": "\\u0000"}]}}', JSON, named="/metadata/a/b/0/c"),
    at("/metadata", '{"a": 1, "a": 2}', JSON),
    at("/metadata", '{"a": {"b": 1, "b": 1}}', JSON, named="/metadata/a"),
    at("/metadata", '{"": 1}', VALID),
    at("/metadata", json.dumps({"k" * 65: 1}), VALID),
    at("/metadata", json.dumps({f"k{number}": 1 for number in range(51)}), VALID),
    at("/metadata", json.dumps({"k": "x" * 16 * 1024}), VALID),
    at("/metadata", '{"a":' * 9 + "1" + "}" * 9, VALID),
    at("/metadata", '{"a":' + "[" * 40 + "]" * 40 + "}", JSON, named="/metadata/a" + "/0" * 30),
    at("/metadata/note", str(2**53 + 1), VALID, named="/metadata"),
]
CARDS = [
    *[
        at(place, json.dumps(CARD), "card_number_refused")
        for place in (*STRINGS, "/metadata/note", "/placed_at")
    ],
    at("/lines/0/quantity", CARD, "card_number_refused"),
    at("/metadata/note", '"4242 4242 4242 4242"', "card_number_refused"),
    at("/metadata/note", '"my card is 4242-4242-4242-4242!"', "card_number_refused"),
    at("/metadata/note", '"\\u0034242424242424242"', "card_number_refused"),
    at("/metadata", json.dumps({CARD: 1}), "card_number_refused", named="/metadata"),
    at("/payments/0/method", f'"pm_{CARD}"', "card_number_refused"),
    at("/unknown", json.dumps(CARD), "card_number_refused"),
]
BODIES = [
    Bad("no body", 400, VALID, "/customer", b""),
    Bad("spaces", 400, JSON, "", b"  \n"),
    Bad("an array", 400, JSON, "", b"[]"),
    Bad("a string", 400, JSON, "", b'"x"'),
    Bad("null", 400, JSON, "", b"null"),
    Bad("a number", 400, JSON, "", b"1"),
    Bad("half of it", 400, JSON, "", RAW[:-1]),
    Bad("two of it", 400, JSON, "", RAW * 2),
    Bad("a trailing comma", 400, JSON, "", b'{"currency": "EUR",}'),
    Bad("a comment", 400, JSON, "", b"/* x */ {}"),
    Bad("single quotes", 400, JSON, "", b"{'currency': 'EUR'}"),
    Bad("a byte order mark", 400, JSON, "", b"\xef\xbb\xbf" + RAW),
    Bad("latin-1", 400, JSON, "", b'{"customer": {"reference": "Zo\xeb"}}'),
    Bad("utf-16", 400, JSON, "", json.dumps(FULL).encode("utf-16")),
    Bad("an encoded surrogate", 400, JSON, "", b'{"currency": "\xed\xa0\x80"}'),
    Bad("an overlong NUL", 400, JSON, "", b'{"currency": "\xc0\x80"}'),
    Bad("a raw NUL", 400, JSON, "", b'{"currency": "\x00"}'),
    Bad("a raw line break", 400, JSON, "", b'{"currency": "E\nR"}'),
    Bad("100,000 deep in arrays", 400, JSON, "", b"[" * 100_000 + b"]" * 100_000),
    Bad("100,000 deep in objects", 400, JSON, "", b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    Bad("100,000 deep and open", 400, JSON, "", b'{"metadata":' + b"[" * 100_000),
    Bad("a key twice", 400, JSON, "", b'{"currency": "EUR", "currency": "EUR"}'),
    Bad("a quantity twice", 400, JSON, "/lines/0", b'{"lines": [{"quantity": 1, "quantity": 2}]}'),
    Bad("a key twice, once escaped", 400, JSON, "", b'{"currency": "EUR", "\\u0063urrency": "USD"}'),
    Bad("too large", 413, "body_too_large", None, b"x" * (1024 * 1024 + 1)),
    Bad("too large, all spaces", 413, "body_too_large", None, b" " * (1024 * 1024 + 1)),
    Bad("a million elements", 413, "body_too_large", None, b'{"lines": [' + b"0," * 1_000_000 + b"0]}"),
    Bad("half a million elements", 400, VALID, "/lines", body_with("/lines", "[" + "0," * 500_000 + "0]")),
    Bad(
        "a thousand unknown fields",
        400,
        VALID,
        "/customer",
        json.dumps({f"f{n}": 1 for n in range(1000)}).encode(),
    ),
]
CONTENT_TYPES = [
    Bad(
        f"content type {name!r}",
        415,
        "unsupported_media_type",
        None,
        RAW,
        content_type=name,
    )
    for name in (
        "text/plain",
        "text/json",
        "application/xml",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=latin-1",
        "application/json; charset=utf-16",
        "application/problem+json",
        "x",
    )
] + [
    Bad("compressed", 415, "unsupported_media_type", None, b"\x1f\x8b", headers={"content_encoding": "gzip"}),
]
KEYS = [
    Bad(
        f"key {name}",
        400,
        code,
        "Idempotency-Key",
        RAW,
        headers={"idempotency_key": key},
    )
    for name, key, code in (
        ("missing", None, "idempotency_key_missing"),
        ("empty", "", "idempotency_key_invalid"),
        ("of 256", "x" * 256, "idempotency_key_invalid"),
        ("of 10,000", "x" * 10_000, "idempotency_key_invalid"),
        ("with a tab", "a\tb", "idempotency_key_invalid"),
        ("with a DEL", "a\x7fb", "idempotency_key_invalid"),
        ("with an escape", "a\x1bb", "idempotency_key_invalid"),
        ("with a line break", "a\r\nX-Evil: 1", "idempotency_key_invalid"),
        ("in UTF-8", "schlüssel".encode().decode("latin-1"), "idempotency_key_invalid"),
    )
] + [
    Bad(
        "key with a NUL", 400, "invalid_query", "Idempotency-Key", b"{}", headers={"idempotency_key": "a\0b"}
    ),
    Bad(
        "key not UTF-8", 400, "invalid_query", "Idempotency-Key", b"{}", headers={"idempotency_key": "a\xffb"}
    ),
]
PREFERENCES = [
    Bad(f"prefer {value!r}", 400, VALID, "Prefer", RAW, headers={"prefer": value})
    for value in ("wait=31", "wait=-1", "wait=1.0", "wait=x", "wait=", "wait=999999999999", "wait=0x1")
]
BUSINESS = [
    at("/shipping", str(TOTAL_MINOR_MAX), "total_too_large", status=422),
    at("/lines/0/quantity", "1000000", "total_too_large", status=422),
    at(
        "/lines",
        json.dumps([{"sku": SKU, "quantity": 10**6, "unit_price": 10**12}] * 100),
        "total_too_large",
        status=422,
    ),
    at("/lines", json.dumps([{"sku": SKU, "quantity": 1, "unit_price": 0}]), "nothing_to_pay", status=422),
    at("/lines/0/sku", '"NONE"', "unknown_sku", status=422),
    at("/lines/0/sku", '"tea"', "unknown_sku", status=422),
    at("/currency", '"USD"', "currency_mismatch", status=422),
    at("/currency", '"JPY"', "currency_mismatch", status=422),
    at("/payments/0/amount", "999", "payments_do_not_add_up", status=422),
    at("/payments", json.dumps([{"method": "a"}, {"method": "b"}]), "payments_do_not_add_up", status=422),
]

MALFORMED_ORDERS = {
    "numbers": NUMBERS,
    "texts": TEXTS,
    "times": TIMES,
    "shapes": SHAPES,
    "metadata": METADATA,
    "card numbers": CARDS,
    "bodies": BODIES,
    "content types": CONTENT_TYPES,
    "keys": KEYS,
    "preferences": PREFERENCES,
    "business": BUSINESS,
}
