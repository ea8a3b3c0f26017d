"""Every error is a problem with a stable code; none tells what is inside."""

import io
import select
from typing import Any
from uuid import UUID

import pytest
from django.db import InternalError, connection, transaction
from django.test import Client, override_settings

from config.bodies import measure_chunked
from config.problems import problem_of
from tests.api.foundation import Caller, assert_problem
from tests.processes import wait_until

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.api.foundation_urls")]
THINGS = "/api/v1/things"
KEY = {"idempotency_key": "k"}


@pytest.fixture
def caller() -> Caller:
    return Caller()


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("refused", 422, "out_of_things"),
        ("missing", 404, "not_found"),
        ("busy", 503, "busy"),
        ("bug", 500, "internal_error"),
        ("database", 503, "temporarily_unavailable"),
    ],
)
def test_what_a_view_raises_becomes_its_problem(caller: Caller, name: str, status: int, code: str) -> None:
    document = assert_problem(caller.get(f"/api/v1/raising/{name}"), status, code)

    assert document["instance"] == f"/api/v1/raising/{name}"
    assert "secret" not in str(document)


@pytest.mark.parametrize(
    ("name", "status", "code"), [("bug", 500, "internal_error"), ("database", 503, "temporarily_unavailable")]
)
def test_what_no_api_view_catches_becomes_a_problem_too(name: str, status: int, code: str) -> None:
    answer = Client(raise_request_exception=False).get(f"/api/v1/broken/{name}")

    assert "secret" not in str(assert_problem(answer, status, code))


def test_a_bug_is_logged_with_its_trace_and_request_id(
    caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    caller.get("/api/v1/raising/bug", x_request_id="mine-1")

    [record] = [record for record in caplog.records if record.name == "config.problems"]
    assert record.exc_info is not None
    assert vars(record)["request_id"] == "mine-1"


def test_an_operational_error_says_when_to_come_back(caller: Caller) -> None:
    assert caller.get("/api/v1/raising/busy").headers["Retry-After"] == "3"
    assert caller.get("/api/v1/raising/database").headers["Retry-After"] == "1"
    assert "Retry-After" not in caller.get("/api/v1/raising/refused").headers


def test_an_address_that_does_not_exist_is_a_problem(caller: Caller) -> None:
    assert_problem(caller.get("/api/v1/nothing"), 404, "not_found")
    assert_problem(caller.get("/api/v1/things/"), 404, "not_found")


def test_an_unlisted_method_is_a_405_that_allows(caller: Caller) -> None:
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
        answer = caller.send(method, THINGS)

        assert_problem(answer, 405, "method_not_allowed")
        assert {"GET", "POST"} <= set(answer.headers["Allow"].split(", "))


def test_a_method_override_is_not_obeyed(caller: Caller) -> None:
    answer = caller.get("/api/v1/partly", x_http_method_override="DELETE")

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("body", "code", "fields"),
    [
        (b"{", "invalid_json", [""]),
        (b"[" * 100_000, "invalid_json", [""]),
        (b'{"name":"a","name":"b"}', "invalid_json", [""]),
        (b'{"name":"a","metadata":{"x":"\\u0000"}}', "invalid_json", ["/metadata/x"]),
        (b'{"name":"a","metadata":{"x":"\\ud800"}}', "invalid_json", ["/metadata/x"]),
        (b'{"name":"a","amount":%s}' % (b"1" * 30), "invalid_json", ["/amount"]),
        (b'{"name":"a","amount":1.0}', "validation_failed", ["/amount"]),
        (b'{"amount":0,"x":1}', "validation_failed", ["/name", "/amount", "/x"]),
        (b'{"name":"4242424242424242"}', "card_number_refused", ["/name"]),
        (b"[]", "invalid_json", [""]),
        (b"", "validation_failed", ["/name"]),
    ],
)
def test_a_malformed_body_is_a_400_that_names_the_field(
    caller: Caller, body: bytes, code: str, fields: list[str]
) -> None:
    document = assert_problem(caller.post(THINGS, body, **KEY), 400, code)

    assert [error["field"] for error in document["errors"]] == fields


def test_a_card_number_is_neither_answered_nor_logged(
    caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    answer = caller.post(THINGS, {"name": "4242 4242 4242 4242"}, **KEY)

    assert "4242" not in answer.content.decode()
    assert "4242 4242" not in caplog.text


@pytest.mark.parametrize(
    ("content_type", "encoding"),
    [
        ("text/plain", None),
        ("application/x-www-form-urlencoded", None),
        ("multipart/form-data; boundary=x", None),
        ("application/xml", None),
        ("application/json; charset=utf-16", None),
        ("application/json", "gzip"),
        ("", None),
        ("/", None),
    ],
)
def test_other_media_types_are_a_415(caller: Caller, content_type: str, encoding: str | None) -> None:
    headers = {"content_encoding": encoding} if encoding else {}

    answer = caller.post(THINGS, {"name": "a"}, content_type=content_type, **headers, **KEY)

    assert_problem(answer, 415, "unsupported_media_type")


@override_settings(BODY_BYTES_MAX=100)
def test_a_body_above_the_limit_is_a_413(caller: Caller) -> None:
    body = b'{"name":"a"}'

    assert caller.post(THINGS, body + b" " * (100 - len(body)), **KEY).status_code == 201
    assert_problem(caller.post(THINGS, body + b" " * (101 - len(body)), **KEY), 413, "body_too_large")


def test_a_chunked_body_is_measured_before_django_sees_it() -> None:
    seen: list[tuple[str, bytes]] = []

    def application(environ: dict[str, Any], _start: object) -> list[bytes]:
        seen.append((environ["CONTENT_LENGTH"], environ["wsgi.input"].read()))
        return []

    measured = measure_chunked(application, bytes_max=10)
    for body in (b"x" * 10, b"x" * 5000):
        measured({"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input": io.BytesIO(body)}, lambda *_: None)

    assert seen == [("10", b"x" * 10), ("11", b"x" * 11)]


@pytest.mark.parametrize(
    "path", ["/api/v1/raising/a%00b", "/api/v1/things?limit=%00", "/api/v1/things?limit=%ff"]
)
def test_text_that_cannot_be_stored_is_refused_in_addresses(caller: Caller, path: str) -> None:
    assert_problem(caller.get(path), 400, "invalid_query")


@pytest.mark.parametrize("value", ["a\0b", "\xff"])
def test_text_that_cannot_be_stored_is_refused_in_headers(caller: Caller, value: str) -> None:
    document = assert_problem(caller.get(THINGS, prefer=value), 400, "invalid_query")

    assert [error["field"] for error in document["errors"]] == ["Prefer"]


def test_an_answer_carries_the_callers_request_id_if_it_is_safe(caller: Caller) -> None:
    assert caller.get(THINGS, x_request_id="a.B-9_z").headers["X-Request-Id"] == "a.B-9_z"
    for unsafe in ("", "a b", "a\nb", "x" * 129, "<script>", "é"):
        made = caller.get(THINGS, x_request_id=unsafe).headers["X-Request-Id"]
        assert UUID(made).version == 7


@override_settings(DEBUG=False)
def test_people_in_the_admin_get_pages() -> None:
    answer = Client().get("/admin/%00", headers={"x-request-id": "a"})

    assert answer.status_code == 400
    assert Client().get("/admin/login/").headers["Content-Type"].startswith("text/html")


def test_accept_changes_nothing(caller: Caller) -> None:
    assert caller.get(THINGS, accept="application/xml").headers["Content-Type"] == "application/json"


def test_pages_are_bounded_and_cursors_are_the_callers_own(caller: Caller) -> None:
    keys = [caller, *(Caller() for _ in range(4))]
    first = caller.get(f"{THINGS}?limit=3").json()
    second = caller.get(f"{THINGS}?limit=3&cursor={first['next_cursor']}").json()

    assert (len(first["data"]), len(second["data"]), second["next_cursor"]) == (3, len(keys) - 3, None)
    stranger = Caller(client="other")
    assert_problem(stranger.get(f"{THINGS}?cursor={first['next_cursor']}"), 400, "invalid_cursor")
    assert_problem(caller.get(f"{THINGS}?cursor=aa"), 400, "invalid_cursor")
    assert_problem(caller.get(f"{THINGS}?limit=101"), 400, "validation_failed")
    assert_problem(caller.get(f"{THINGS}?page=2"), 400, "invalid_query")


@pytest.mark.django_db(transaction=True)
def test_a_request_that_stood_still_too_long_may_come_again() -> None:
    def stand_still() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = '10ms'")
            # The server's goodbye.
            wait_until(lambda: select.select([connection.connection.pgconn.socket], [], [], 0)[0])
            cursor.execute("SELECT 1")

    with pytest.raises(InternalError) as cut_off:
        stand_still()

    answer = problem_of(cut_off.value)
    assert (answer.status, answer.code) == (503, "temporarily_unavailable")
    assert answer.headers["Retry-After"] == "1"
