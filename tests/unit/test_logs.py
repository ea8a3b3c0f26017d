"""Log lines: one JSON object each, with the ids of what they are about, and without any secret."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from django.test import RequestFactory

from config import redaction
from config.logs import JsonFormatter, configure_structlog
from config.redaction import REDACTED, without_secrets
from resilience.telemetry import trace

TRACEPARENT = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
API_KEY = "hf_" + "0a" * 6 + "_" + "0b" * 32
CARD = "4242424242424242"


class Lines:
    """What was logged, line by line."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def texts(self) -> list[str]:
        return self.stream.getvalue().splitlines()

    @property
    def last(self) -> dict[str, Any]:
        return json.loads(self.texts[-1])


@pytest.fixture
def lines() -> Iterator[Lines]:
    found = Lines()
    handler = logging.StreamHandler(found.stream)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.addHandler(handler)
    yield found
    root.removeHandler(handler)


@pytest.fixture
def _secrets(settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.SECRET_KEY = "a-very-secret-key"
    settings.METRICS_TOKEN = "scraper-token-1"
    settings.GATEWAYS = [
        {"name": "g", "secret_key": "shared/with+them", "webhook_secrets": ["hear-hear-hear"]}
    ]
    settings.PRIMARY_URL = "postgresql://holdfast:correct-horse@127.0.0.1/holdfast"
    settings.REDIS_URL = "redis://:battery%2Fstaple@127.0.0.1"
    reports = {**settings.DATABASES["reports"], "PASSWORD": "reports-of-their-own"}
    monkeypatch.setitem(settings.DATABASES, "reports", reports)
    redaction._known.cache_clear()
    yield
    redaction._known.cache_clear()


def test_a_line_is_a_sentence_with_fields(lines: Lines) -> None:
    logging.getLogger("a.b").warning("Sagas %s.", "wait", extra={"sagas": 3, "of": {"deep": [1, "x"]}})

    at = lines.last.pop("at")
    assert at.endswith("+00:00")
    assert len(lines.texts) == 1
    assert lines.last | {"at": at} == {
        "at": at,
        "level": "warning",
        "logger": "a.b",
        "message": "Sagas wait.",
        "sagas": 3,
        "of": {"deep": [1, "x"]},
    }
    assert list(lines.last)[:4] == ["at", "level", "logger", "message"]


def test_a_line_carries_the_ids_of_what_it_is_about(lines: Lines) -> None:
    with trace.carrying(TRACEPARENT, request_id="r-1", order_id="o-1"):
        logging.getLogger("a").warning("Inside.")
        inside = lines.last
    logging.getLogger("a").warning("Outside.")

    assert {name: inside[name] for name in ("trace_id", "request_id", "order_id")} == {
        "trace_id": "a" * 32,
        "request_id": "r-1",
        "order_id": "o-1",
    }
    assert lines.last.keys() == {"at", "level", "logger", "message"}


def test_structlog_itself_goes_the_same_way(lines: Lines) -> None:
    configure_structlog()
    with trace.carrying(TRACEPARENT):
        structlog.get_logger("own").error("Something.", api_key="k", rows=2)

    line = lines.last
    assert (line["message"], line["level"], line["rows"], line["api_key"]) == (
        "Something.", "error", 2, REDACTED,
    )  # fmt: skip
    assert line["trace_id"] == "a" * 32


def test_what_django_logs_of_a_request_carries_its_id_and_not_the_request(lines: Lines) -> None:
    request = RequestFactory().get("/x", HTTP_X_REQUEST_ID="r-2", HTTP_AUTHORIZATION=f"Bearer {API_KEY}")

    logging.getLogger("django.request").warning(
        "Not Found: %s", "/x", extra={"request": request, "status_code": 404}
    )

    assert (lines.last["request_id"], lines.last["status_code"]) == ("r-2", 404)
    assert "request" not in lines.last
    assert API_KEY not in lines.texts[-1]


def test_a_traceback_is_one_line_and_shows_no_local_variable(lines: Lines) -> None:
    def fail(card: str) -> None:
        held = [card, "of-somebody"]
        raise ZeroDivisionError(len(held))

    try:
        fail(CARD)
    except ZeroDivisionError:
        logging.getLogger("a").exception("It failed.")

    assert len(lines.texts) == 1
    assert "ZeroDivisionError: 2" in lines.last["exception"]
    assert "in fail" in lines.last["exception"]
    assert CARD not in lines.texts[-1]


@pytest.mark.parametrize(
    "secret",
    [
        API_KEY,
        CARD,
        "4242 4242 4242 4242",
        "378282246310005",
        "sk_test_abcDEF123",
        "sk_live_abcDEF123",
        "rk_live_abcDEF123",
        "whsec_abc+/=",
        "pi_3abc_secret_xyz9",
        "eyJhbGciOi.eyJzdWIiOi.sIgNaTuRe",
        "a-very-secret-key",
        "scraper-token-1",
        "shared/with+them",
        "hear-hear-hear",
        "correct-horse",
        "battery%2Fstaple",
        "battery/staple",
        "reports-of-their-own",
    ],
)
@pytest.mark.usefixtures("_secrets")
def test_a_known_secret_is_nowhere_in_a_line(secret: str, lines: Lines) -> None:
    logger = logging.getLogger("a")
    try:
        raise RuntimeError(f"refused: {secret}")
    except RuntimeError:
        logger.exception(
            "About %s and more.",
            secret,
            extra={
                "plain": f"x {secret} y",
                "deep": {"list": [f"({secret})"], secret: 1},
                "object": {secret},
            },
        )

    (line,) = lines.texts
    assert secret not in line
    assert json.loads(line)["plain"] == f"x {REDACTED} y"
    assert json.loads(line)["message"] == f"About {REDACTED} and more."


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Authorization: Bearer abcdefgh12345", f"Authorization: {REDACTED}"),
        ("sent Bearer abcdefgh12345 along", f"sent Bearer {REDACTED} along"),
        ("password=hunter2hunter2&x=1", f"password={REDACTED}&x=1"),
        ("redis://:open-sesame@127.0.0.1/0", f"redis://:{REDACTED}@127.0.0.1/0"),
        ("order 01a208e8-9346-7519-aa18-8d0eb1d5692f", "order 01a208e8-9346-7519-aa18-8d0eb1d5692f"),
        ("EAN 4006381333931, 1700000000000000000 ns", "EAN 4006381333931, 1700000000000000000 ns"),
        ("the token bucket is empty; a secret is kept", "the token bucket is empty; a secret is kept"),
    ],
)
def test_a_text_loses_its_secrets_and_nothing_else(text: str, left: str) -> None:
    assert without_secrets(text) == left


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "Cookie",
        "password",
        "client_secret",
        "api_key",
        "apikey",
        "card_number",
        "cvc",
        "token",
    ],
)
@pytest.mark.parametrize("value", ["plain", 123, ["a"], {"b": 1}])
def test_a_field_that_names_a_secret_is_not_shown(name: str, value: object, lines: Lines) -> None:
    logging.getLogger("a").warning("x", extra={"headers": {name: value}})

    assert lines.last["headers"] == {name: REDACTED}


def test_what_is_no_secret_keeps_its_name_and_value(lines: Lines) -> None:
    fields = {
        "idempotency_key": "k-1",
        "saga_id": "s",
        "attempt": 3,
        "wait_s": 0.5,
        "is_last": True,
        "none": None,
    }

    logging.getLogger("a").warning("x", extra=fields)

    assert {name: lines.last[name] for name in fields} == fields
