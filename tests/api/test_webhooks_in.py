"""What gateways deliver: stored once before it is acknowledged, and nothing believed that is not signed."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from payments import notice_store
from payments.models import GatewayNotice
from resilience import clock
from resilience.events.models import LoggedEvent
from tests.api import served
from tests.api.served import Address, exchange
from tests.notices_kit import body_of, event, mac_of, signature_of

pytestmark = pytest.mark.django_db

NAME = "sandbox-1"
ADDRESS = f"/webhooks/{NAME}"
MIB = 1024 * 1024


def secret() -> str:
    return settings.GATEWAYS[0]["webhook_secrets"][0]


def deliver(body: bytes, *, address: str = ADDRESS, header: str | None = None, **options: Any) -> Any:
    signature = signature_of(body, secret=secret()) if header is None else header
    return Client().generic(
        "POST",
        address,
        body,
        content_type="application/json",
        headers={"Stripe-Signature": signature},
        **options,
    )


def assert_refused(answer: Any, status: int, code: str) -> None:
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == code
    assert not GatewayNotice.objects.exists()
    assert not LoggedEvent.objects.filter(type="gateway.notified").exists()


def test_a_signed_event_is_stored_and_told_before_it_is_acknowledged():
    document = event("charge.captured", reference="pi_7", amount=1299, receipt_email="a@example.org")

    answer = deliver(body_of(document))

    assert (answer.status_code, answer.json()) == (200, {"received": True})
    notice = GatewayNotice.objects.get()
    assert (notice.gateway, notice.event_id, notice.type) == (NAME, document["id"], "charge.captured")
    assert (notice.reference, notice.status, notice.payment_id) == ("pi_7", "received", None)
    assert notice.body["data"]["object"] == {
        "id": "obj_1", "payment_intent": "pi_7", "metadata": {}, "amount": 1299,
    }  # fmt: skip
    told = LoggedEvent.objects.get(type="gateway.notified")
    assert told.aggregateid == notice.pk
    assert told.payload == {
        "notice_id": str(notice.pk), "gateway": NAME, "type": "charge.captured", "reference": "pi_7",
    }  # fmt: skip


def test_a_known_event_is_acknowledged_in_the_same_words_and_does_nothing():
    body = body_of(event())
    deliver(body)

    again = deliver(body)

    assert (again.status_code, again.json()) == (200, {"received": True})
    assert GatewayNotice.objects.count() == 1
    assert LoggedEvent.objects.filter(type="gateway.notified").count() == 1


def test_a_type_that_nobody_knows_is_stored_too():
    answer = deliver(body_of(event("customer.created", email="a@example.org")))

    assert answer.status_code == 200
    assert GatewayNotice.objects.get().body["data"] == {"object": {"id": "obj_1"}}


def test_two_accounts_may_use_one_event_id(settings: Any):
    settings.GATEWAYS = [*settings.GATEWAYS, {**settings.GATEWAYS[0], "name": "other"}]
    body = body_of(event())

    answers = [deliver(body), deliver(body, address="/webhooks/other")]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert set(GatewayNotice.objects.values_list("gateway", flat=True)) == {NAME, "other"}


def test_both_secrets_are_good_while_they_overlap(settings: Any):
    old, new = "whsec_old", "whsec_new"
    settings.GATEWAYS = [{**settings.GATEWAYS[0], "webhook_secrets": [new, old]}]
    bodies = [body_of(event()) for _ in range(3)]

    answers = [
        deliver(bodies[0], header=signature_of(bodies[0], secret=old)),
        deliver(bodies[1], header=signature_of(bodies[1], secret=new)),
        deliver(bodies[2], header=f"{signature_of(bodies[2], secret='gone')},v1={'0' * 64}"),
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 400]
    assert GatewayNotice.objects.count() == 2


def test_a_secret_of_one_account_does_not_open_another(settings: Any):
    settings.GATEWAYS = [*settings.GATEWAYS, {"name": "other", "webhook_secrets": ["whsec_other"]}]

    assert_refused(deliver(body_of(event()), address="/webhooks/other"), 400, "webhook_signature_invalid")


@pytest.mark.parametrize("secrets", [None, [], [""], "whsec_text", {"a": 1}, [None, 7]], ids=str)
def test_an_account_without_a_secret_takes_nothing(settings: Any, secrets: object):
    settings.GATEWAYS = [{**settings.GATEWAYS[0], "webhook_secrets": secrets}]
    body = body_of(event())

    for key in ("", "w", "None"):
        answer = deliver(body, header=signature_of(body, secret=key))

        assert_refused(answer, 503, "webhook_secret_missing")
        assert answer.headers["Retry-After"]


def test_an_address_of_no_account_is_a_404():
    for name in ("stranger", "Sandbox-1", "sandbox-1%20", "x" * 500, "%F0%9F%99%82"):
        assert_refused(deliver(body_of(event()), address=f"/webhooks/{name}"), 404, "gateway_not_found")
    for address in ("/webhooks/", "/webhooks", f"{ADDRESS}/", f"/api/v1{ADDRESS}"):
        assert_refused(deliver(body_of(event()), address=address), 404, "not_found")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_only_post_is_taken(method: str):
    answer = Client().generic(method, ADDRESS)

    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


def test_no_cookie_and_no_csrf_token_is_asked_for():
    body = body_of(event())

    answer = Client(enforce_csrf_checks=True).generic(
        "POST", ADDRESS, body, headers={"Stripe-Signature": signature_of(body, secret=secret())}
    )

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
        "é;charset=klingon",
    ],
)
def test_the_content_type_does_not_matter(content_type: str):
    body = body_of(event())

    answer = Client().generic(
        "POST", ADDRESS, body, content_type=content_type,
        headers={"Stripe-Signature": signature_of(body, secret=secret())},
    )  # fmt: skip

    assert answer.status_code == 200


def test_a_refusal_is_logged_without_secret_body_or_header(caplog: pytest.LogCaptureFixture):
    body = body_of(event(note="4242424242424242"))

    with caplog.at_level(logging.INFO):
        answer = deliver(body, header=f"t=1,v1={mac_of(body, secret=secret(), at=1)}")

    assert_refused(answer, 400, "webhook_signature_invalid")
    (record,) = [record for record in caplog.records if record.name == "payments.api.webhook_views"]
    assert (record.gateway, record.verdict) == (NAME, "too_old")
    everything = " ".join(str(vars(record)) for record in caplog.records) + answer.content.decode()
    for hidden in (secret(), "4242", mac_of(body, secret=secret(), at=1)):
        assert hidden not in everything


@pytest.mark.parametrize(
    "header",
    ["", "t", "v1=x", "t=1,v1=x", "t=1_000,v1=x", "t=\xd9\xa1,v1=x", "t=\xff,v1=\xfe",
     "t=1,v1=" + "\xc3\xa9" * 32, "t=-1,v1=x", "t=1,t=2,v1=x", " ", "t=1e309,v1=x", "v1=x," * 10_000,
     "x" * MIB],
    ids=range(14),
)  # fmt: skip
def test_any_other_header_is_refused(header: str):
    answer = deliver(body_of(event()), header=header)

    # Bytes that are no UTF-8 are refused before any view.
    code = answer.json()["code"]
    assert code in ("webhook_signature_invalid", "invalid_query")
    assert_refused(answer, 400, code)


def test_without_a_signature_the_body_is_not_read():
    assert_refused(Client().post(ADDRESS, b"[" * 1000, "application/json"), 400, "webhook_signature_invalid")


def nested(depth: int) -> bytes:
    return (
        b'{"id": "evt_1", "type": "a.b", "data": {"object": ' + b'{"a":' * depth + b"1" + b"}" * depth + b"}}"
    )


BODIES = {
    "empty": b"",
    "no JSON": b"id=evt_1",
    "not UTF-8": b'{"id": "\xff"}',
    "UTF-16": '{"id": "evt_1"}'.encode("utf-16"),
    "with a byte order mark": b"\xef\xbb\xbf{}",
    "an array": b"[]",
    "a number": b"1",
    "null": b"null",
    "empty object": b"{}",
    "half": b'{"id": "evt_1", "type"',
    "two": b"{}{}",
    "trailing": b"{} x",
    "NUL": b'{"id": "evt_\\u0000", "type": "a.b", "data": {"object": {}}}',
    "NUL in a key": b'{"id": "evt_1", "type": "a.b", "data": {"object": {"\\u0000": 1}}}',
    "half a surrogate": b'{"id": "evt_1", "type": "a.b", "data": {"object": {"id": "\\ud800"}}}',
    "duplicate id": b'{"id": "evt_1", "id": "evt_2", "type": "a.b", "data": {"object": {}}}',
    "duplicate deep": b'{"id": "evt_1", "type": "a.b", "data": {"object": {"a": 1, "a": 2}}}',
    "huge integer": b'{"id": "evt_1", "type": "a.b", "data": {"object": {"amount": 1%s}}}' % (b"0" * 5000),
    "huge float": b'{"id": "evt_1", "type": "a.b", "data": {"object": {"amount": 1e400}}}',
    "NaN": b'{"id": "evt_1", "type": "a.b", "data": {"object": {"amount": NaN}}}',
    "deep": nested(100_000),
    "deeper than any event": nested(40),
    "a deep array": b"[" * 200_000,
    "gzip": b"\x1f\x8b\x08\x00",
    "id too long": body_of(event(event_id="x" * 256)),
    "type too long": body_of(event("x" * 129)),
    "id of a number": b'{"id": 1, "type": "a.b", "data": {"object": {}}}',
    "no data": b'{"id": "evt_1", "type": "a.b"}',
    "object is text": b'{"id": "evt_1", "type": "a.b", "data": {"object": "pi_1"}}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_signed_body_of_another_shape_is_refused(body: bytes):
    answer = deliver(body)

    code = answer.json()["code"]
    assert code in ("invalid_json", "validation_failed")
    assert_refused(answer, 400, code)


@pytest.mark.parametrize(
    "subject",
    [
        {"id": 7}, {"id": None}, {"id": ["pi_1"]}, {"id": "x" * 5000}, {"metadata": []}, {"metadata": "x"},
        {"metadata": {"payment_id": 7}}, {"card": []}, {"created": -1}, {"amount": -0.0},
        {"amount": 2**63 - 1},
        {"payment_method_details": {"card": {"last4": {"a": 1}}}}, {"id": "🙂" * 60},
    ],
    ids=str,
)  # fmt: skip
def test_an_object_of_any_shape_is_stored(subject: dict[str, Any]):
    document = event()
    document["data"]["object"] = subject

    assert deliver(body_of(document)).status_code == 200
    assert GatewayNotice.objects.count() == 1


def test_a_card_number_is_struck_out_and_the_event_taken():
    answer = deliver(body_of(event("charge.captured", reason="4242 4242 4242 4242")))

    assert answer.status_code == 200
    assert "4242" not in json.dumps(GatewayNotice.objects.get().body)


def test_a_body_of_a_mebibyte_is_taken_and_one_byte_more_is_a_413():
    body = body_of(event())

    assert deliver(body.ljust(MIB)).status_code == 200
    GatewayNotice.objects.all().delete()
    answer = deliver(body.ljust(MIB + 1))

    assert answer.status_code == 413
    assert answer.json()["code"] == "body_too_large"
    assert not GatewayNotice.objects.exists()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "id": st.text() | VALUES,
        "type": st.sampled_from(["charge.captured", "payment_intent.created", "x"]) | VALUES,
        "data": st.fixed_dictionaries(
            {"object": st.dictionaries(st.sampled_from(["id", "metadata", "card"]), VALUES)}
        )
        | VALUES,
        "created": VALUES,
    },
)
quick = hypothesis_settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@quick
@given(document=DOCUMENTS | VALUES)
def test_no_signed_document_is_a_500(document: object):
    assert deliver(json.dumps(document).encode()).status_code in (200, 400)


@quick
@given(body=st.binary(), header=st.none() | st.text(st.characters(max_codepoint=255)))
def test_no_bytes_and_no_header_are_a_500(body: bytes, header: str | None):
    assert deliver(body, header=header).status_code == 400


def test_while_the_database_is_away_the_gateway_is_told_to_come_again(monkeypatch: pytest.MonkeyPatch):
    def refuse(**_notice: object) -> None:
        raise OperationalError("the connection is closed")

    monkeypatch.setattr(notice_store, "insert", refuse)

    answer = deliver(body_of(event()))

    assert_refused(answer, 503, "temporarily_unavailable")
    assert answer.headers["Retry-After"] == "1"


@pytest.fixture(scope="module")
def server() -> Iterator[Address]:
    with served.gunicorn() as address:
        yield address


def head(*headers: bytes) -> bytes:
    lines = [f"POST {ADDRESS} HTTP/1.1".encode(), b"Host: localhost", b"Connection: close", *headers]
    return b"\r\n".join(lines) + b"\r\n"


BODY = b'{"id": "evt_raw", "type": "a.b", "data": {"object": {}}}'
SIGNED_AT = b"t=%d,v1=x" % clock.now().timestamp()
RAW = {
    "no signature": head(b"Content-Length: 2") + b"\r\n{}",
    "raw bytes in the signature": head(b"Stripe-Signature: t=\xff,v1=\xfe", b"Content-Length: 2") + b"\r\n{}",
    "NUL in the signature": head(b"Stripe-Signature: t=1,v1=\0", b"Content-Length: 2") + b"\r\n{}",
    "two signatures": head(
        b"Stripe-Signature: " + SIGNED_AT, b"Stripe-Signature: " + SIGNED_AT, b"Content-Length: 2"
    )
    + b"\r\n{}",
    "a signature of 100 kB": head(b"Stripe-Signature: " + b"v1=x," * 20_000, b"Content-Length: 2")
    + b"\r\n{}",
    "folded header": head(b"Stripe-Signature: t=1,\r\n v1=x", b"Content-Length: 2") + b"\r\n{}",
    "no length": head(b"Stripe-Signature: " + SIGNED_AT) + b"\r\n",
    "a length of text": head(b"Content-Length: x") + b"\r\n{}",
    "both lengths": head(b"Content-Length: 2", b"Transfer-Encoding: chunked") + b"\r\n0\r\n\r\n",
    "a body that ends early": head(b"Content-Length: 2000") + b"\r\n{}",
    "a broken chunk": head(b"Transfer-Encoding: chunked") + b"\r\nzz\r\n{}",
    "an unknown encoding": head(b"Content-Encoding: br", b"Content-Length: 2") + b"\r\n{}",
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("request_", RAW.values(), ids=RAW)
def test_a_broken_request_is_never_a_500(server: Address, request_: bytes):
    answer = exchange(server, request_, stop_sending=True)

    # A body that breaks off has no answer to read; all others are refused as the sender's mistake.
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer


@pytest.mark.django_db(transaction=True)
def test_a_chunked_body_is_checked_and_stored_whole(server: Address):
    signature = signature_of(BODY, secret=secret()).encode()
    chunks = (
        b"\r\n"
        + b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (BODY[:9], BODY[9:]))
        + b"0\r\n\r\n"
    )

    answer = exchange(server, head(b"Stripe-Signature: " + signature, b"Transfer-Encoding: chunked"), chunks)

    assert answer.startswith(b"HTTP/1.1 200 "), answer
    assert GatewayNotice.objects.get().event_id == "evt_raw"


@pytest.mark.django_db(transaction=True)
def test_an_announced_body_above_the_limit_is_a_413_before_it_is_sent(server: Address):
    answer = exchange(server, head(b"Content-Length: %d" % (MIB + 1)) + b"\r\n")

    assert answer.startswith(b"HTTP/1.1 413 ")
