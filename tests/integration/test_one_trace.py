"""One order is one trace: from its POST through Celery to the gateway, told by each process on the way."""

import io
import json
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import UUID

import httpx
import pytest
from django.conf import settings
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from config.logs import JsonFormatter
from orders.models import Order
from payments.gateways.http import ThinClient
from resilience.saga.models import Saga
from resilience.telemetry import trace
from tests.api.shop import ORDERS, STOREFRONT, Shop, order_body
from tests.conftest import SandboxClient
from tests.orders_kit import carry_to_the_end, place, stock
from tests.processes import wait_until
from tests.unit.scripted_gateway import ScriptedGateway, answer

pytestmark = pytest.mark.django_db(transaction=True)

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{CALLER}-01"


class Collector:
    """Takes spans over OTLP/HTTP, as any OpenTelemetry collector does."""

    def __init__(self) -> None:
        self.spans: list[tuple[int, object]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                told = ExportTraceServiceRequest.FromString(body)
                for resource in told.resource_spans:
                    facts = {one.key: one.value for one in resource.resource.attributes}
                    for scope in resource.scope_spans:
                        collector.spans += [(facts["process.pid"].int_value, span) for span in scope.spans]
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def of_trace(self) -> dict[str, list[tuple[int, object]]]:
        named: dict[str, list[tuple[int, object]]] = {}
        for pid, span in list(self.spans):
            if span.trace_id.hex() == TRACE:
                named.setdefault(span.name, []).append((pid, span))
        return named


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    thread = threading.Thread(target=collector.server.serve_forever, daemon=True)
    thread.start()
    yield collector
    collector.server.shutdown()
    collector.server.server_close()
    thread.join(10)


@contextmanager
def _fleet(environment: dict[str, str]) -> Iterator[str]:
    """Run web, worker and dispatcher; yield the address of web."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        commands = [
            ["-m", "gunicorn", "config.wsgi", "--config", "python:config.gunicorn", "--workers", "1",
             "--bind", f"fd://{listener.fileno()}"],
            ["-m", "celery", "-A", "config", "worker", "--pool", "threads", "--concurrency", "2",
             "--queues", "sagas"],
            ["manage.py", "dispatch"],
        ]  # fmt: skip
        processes = [
            subprocess.Popen(
                [sys.executable, *command],
                cwd=settings.BASE_DIR,
                env={**os.environ, "HOLDFAST_LOG_LEVEL": "ERROR", **environment},
                pass_fds=[listener.fileno()],
                stderr=subprocess.DEVNULL,
            )
            for command in commands
        ]
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(20)


def test_one_post_is_one_trace_to_the_gateway(collector: Collector, sandbox: SandboxClient) -> None:
    stock(10)
    key = Shop(permissions=STOREFRONT).plaintext
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "200"}
    with _fleet(environment) as url:
        answered = httpx.post(
            url + ORDERS,
            json=order_body(),
            headers={
                "Authorization": f"Bearer {key}",
                "Idempotency-Key": "traced",
                "traceparent": TRACEPARENT,
            },
            timeout=60,
        )
        assert answered.status_code == 201
        order_id = UUID(answered.json()["id"])
        wait_until(lambda: Order.objects.get(pk=order_id).status == "confirmed", limit_s=90)
        wait_until(lambda: "place_order.confirm_order.do" in collector.of_trace(), limit_s=30)
        wait_until(lambda: "gateway capture" in collector.of_trace(), limit_s=30)

    spans = collector.of_trace()
    ((web, post),) = spans["POST /api/v1/orders"]
    assert (post.parent_span_id.hex(), dict_of(post)["holdfast.outcome"]) == (CALLER, "201")
    for step in ("reserve_stock", "authorize_payment", "capture_payment", "confirm_order"):
        ((worker, span),) = spans[f"place_order.{step}.do"]
        assert span.parent_span_id == post.span_id
        assert dict_of(span)["order_id"] == str(order_id)
        assert worker != web
    for call, step in (("authorize", "authorize_payment"), ("capture", "capture_payment")):
        ((worker, span),) = spans[f"gateway {call}"]
        ((same, above),) = spans[f"place_order.{step}.do"]
        assert (span.parent_span_id, worker) == (above.span_id, same)
        assert above.start_time_unix_nano <= span.start_time_unix_nano
        assert span.end_time_unix_nano <= above.end_time_unix_nano
    assert sum(len(found) for found in spans.values()) == 7


def dict_of(span: object) -> dict[str, str]:
    return {one.key: one.value.string_value for one in span.attributes}


def test_without_opentelemetry_the_saga_and_its_log_lines_carry_the_trace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stock(10)
    stream, seen = io.StringIO(), []
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("payments.gateways")

    def fail(_self: object, _request: object) -> None:
        seen.append(trace.current())
        logger.warning("The gateway is asked.")
        raise ZeroDivisionError

    with trace.carrying(TRACEPARENT):
        order_id = place()
    assert Saga.objects.get(business_key=order_id).trace == TRACEPARENT

    logging.getLogger().addHandler(handler)
    monkeypatch.setattr("payments.gateways.stripe.StripeGateway.send", fail)
    try:
        with pytest.raises(AssertionError):
            carry_to_the_end([order_id], within_s=1)
    finally:
        logging.getLogger().removeHandler(handler)

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    asked = next(line for line in lines if line["message"] == "The gateway is asked.")
    raised = next(line for line in lines if "raised instead of answering" in line["message"])
    assert set(seen) == {TRACEPARENT}
    for line in (asked, raised):
        assert (line["trace_id"], line["order_id"]) == (TRACE, str(order_id))
        assert line["saga_id"] == str(Saga.objects.get(business_key=order_id).id)


def test_the_gateway_is_told_the_trace() -> None:
    with ScriptedGateway([answer({"ok": True}), answer({"ok": True})]) as server:
        client = ThinClient(origin=server.url, connect_timeout_s=1.0, read_timeout_s=1.0)
        with trace.carrying(TRACEPARENT):
            client.request("get", f"{server.url}/v1/x", {})
        client.request("get", f"{server.url}/v1/x", {})
        client.close()

    with_trace, without = server.requests
    assert f"\r\ntraceparent: {TRACEPARENT}\r\n".encode() in with_trace
    assert b"traceparent" not in without


def test_an_answer_is_logged_with_the_ids_of_its_request(caplog: pytest.LogCaptureFixture) -> None:
    stock(10)
    shop = Shop(permissions=STOREFRONT)
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logging.getLogger().addHandler(handler)
    try:
        shop.get(f"{ORDERS}/{UUID(int=7)}", X_Request_Id="r-7", traceparent=TRACEPARENT)
    finally:
        logging.getLogger().removeHandler(handler)

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    not_found = next(line for line in lines if line["logger"] == "django.request")
    assert not_found["request_id"] == "r-7"
