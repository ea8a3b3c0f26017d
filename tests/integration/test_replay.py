"""`manage.py replay` against the real API, database and gateway: all of a file, once."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connections
from pytest_django.live_server_helper import LiveServer

from orders.models import Order, Product
from payments.models import Payment
from resilience.apikeys.keys import issue_key
from resilience.clock import now
from resilience.events.models import LoggedEvent
from resilience.saga.models import Saga
from tests.conftest import SandboxClient
from tests.orders_kit import carry_to_the_end, stock_left
from tests.replay_kit import past_order, payment, written

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "replica"])
PERMISSIONS = ("catalogue.write", "orders.import", "orders.read", "orders.write")
POT = {"sku": "POT", "seller": "s2", "quantity": 1, "unit_price": 9900, "unit_freight": 100}
ODD_ORDERS = (
    past_order("plain"),
    past_order(
        "split", payments=[payment(1, "credit_card", 7000), payment(2, "voucher", 800)], paid_total=7800
    ),
    past_order("boleto", lines=[POT], payments=[payment(1, "boleto", 10_000)], items_total=9900),
    past_order("declined", payments=[payment(1, "pm_card_visa_chargeDeclined", 7778)]),
    past_order("no items", lines=[], items_total=0),
    past_order("zero", payments=[payment(1, "voucher", 0), payment(2, "credit_card", 7778)]),
    past_order("many", payments=[payment(seq, "voucher", 707) for seq in range(1, 12)], paid_total=7777),
)
ODD_ORDERS[2]["paid_total"] = 10_000

Replay = Callable[..., dict[str, Any]]


@pytest.fixture
def target(live_server: LiveServer) -> tuple[str, ...]:
    """Where the API is and how to get in, as arguments."""
    _, api_key = issue_key(client="shop", name="test", permissions=PERMISSIONS, now=now())
    return "--url", live_server.url, "--api-key", api_key, "--give-up-after", "20"


@pytest.fixture
def replay(target: tuple[str, ...]) -> Replay:
    def run(path: Path, *arguments: str) -> dict[str, Any]:
        output = StringIO()
        call_command("replay", str(path), *target, "--json", *arguments, stdout=output)
        report: dict[str, Any] = json.loads(output.getvalue())
        return report

    return run


@pytest.fixture
def worker() -> Iterator[None]:
    """Carry every saga to its end, in a thread, as a worker process does."""
    stop = threading.Event()

    def work() -> None:
        try:
            while not stop.wait(0.02):
                active = Saga.objects.filter(status__in=["running", "compensating"])
                carry_to_the_end(list(active.values_list("business_key", flat=True)), within_s=30)
        finally:
            connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    stop.set()
    thread.join(timeout=40)
    assert not thread.is_alive()


def rows() -> dict[str, int]:
    """Return how many there are of everything that a replay can add."""
    return {model.__name__: model.objects.count() for model in (Order, Payment, Saga, LoggedEvent, Product)}


@pytest.mark.usefixtures("worker")
def test_past_orders_are_paid_and_refusals_are_explained(
    replay: Replay, tmp_path: Path, sandbox: SandboxClient
) -> None:
    report = replay(written(tmp_path / "orders", ODD_ORDERS))

    assert report["products"] == {"created": 2, "stocked": 2}
    assert (report["accepted"], report["replayed"]) == (4, 0)
    assert (report["confirmed"], report["open"], report["missing"]) == (3, 0, 0)
    assert report["cancelled"]["total"] == sum(report["cancelled"]["by_reason"].values()) == 1
    assert report["refused"]["by_code"] == {"validation_failed": 3}
    assert {(refusal["reason"], refusal["example"]) for refusal in report["refused"]["reasons"]} == {
        ("/lines min_length", "no items"),
        ("/payments/*/amount min_value", "zero"),
        ("/payments max_length", "many"),
    }
    assert report["confirmed_minor"] == {"BRL": 7778 + 7800 + 10_000}
    assert report["settle_s"]["orders"] == 4
    confirmed = {str(order.id): order.total_minor for order in Order.objects.filter(status="confirmed")}
    book = sandbox.orders()
    assert {order_id: book[order_id]["captured"] - book[order_id]["refunded"] for order_id in confirmed} == (
        confirmed
    )
    # Stock is what the file's seven orders need, refused ones included; what is left was not sold.
    assert stock_left("CUP") == (10 - 4, 0)
    assert stock_left("POT") == (0, 0)


@pytest.mark.usefixtures("worker")
def test_an_order_keeps_what_the_source_says(replay: Replay, tmp_path: Path) -> None:
    replay(written(tmp_path / "orders", [past_order("old")]))

    order = Order.objects.get()
    assert order.placed_at == datetime(2017, 10, 1, 3, 3, 33, tzinfo=UTC)
    assert order.customer_reference == "customer of old"
    assert (order.shipping_minor, order.total_minor, order.currency) == (778, 7778, "BRL")
    assert order.metadata["source_order_id"] == "old"


@pytest.mark.usefixtures("worker")
def test_a_second_replay_adds_nothing(replay: Replay, tmp_path: Path) -> None:
    path = written(tmp_path / "orders", ODD_ORDERS)
    first = replay(path)
    counted, left = rows(), (stock_left("CUP"), stock_left("POT"))

    second = replay(path)

    assert rows() == counted
    assert (stock_left("CUP"), stock_left("POT")) == left
    assert second["products"] == {"stocked_before": 2}
    assert (second["accepted"], second["replayed"]) == (4, 4)
    for same in ("refused", "statuses", "cancelled", "confirmed_minor"):
        assert second[same] == first[same]
    assert second["settle_s"] == {"orders": 0}


@pytest.mark.usefixtures("worker")
def test_a_longer_replay_adds_the_rest(replay: Replay, tmp_path: Path) -> None:
    path = written(tmp_path / "orders", [past_order(str(name)) for name in range(6)])
    replay(path, "--limit", "2")

    report = replay(path, "--rate", "50", "--concurrency", "2")

    assert (report["accepted"], report["replayed"], report["confirmed"]) == (6, 2, 6)
    assert Order.objects.count() == 6
    assert stock_left("CUP") == (0, 0)


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)], ids=str
)
@pytest.mark.usefixtures("worker")
def test_an_interrupted_replay_is_finished_by_the_next(
    number: signal.Signals, status: int, replay: Replay, target: tuple[str, ...], tmp_path: Path
) -> None:
    path = written(tmp_path / "orders", [past_order(str(name)) for name in range(40)])
    command = (sys.executable, "manage.py", "replay", str(path), *target, "--rate", "10")
    interrupted = subprocess.Popen(
        command,
        cwd=settings.BASE_DIR,
        stderr=subprocess.PIPE,
        text=True,
        # Tests that run in a shell's background inherit an ignored Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    _wait_until(lambda: Order.objects.count() >= 5)
    interrupted.send_signal(number)
    _, said = interrupted.communicate(timeout=20)

    report = replay(path)

    assert interrupted.returncode == status
    assert ("it does the rest" in said) is (number is signal.SIGINT)
    assert 5 <= report["replayed"] < 40
    assert (report["accepted"], report["confirmed"]) == (40, 40)
    assert Order.objects.count() == 40
    assert stock_left("CUP") == (0, 0)


def test_orders_that_stay_open_are_an_error(target: tuple[str, ...], tmp_path: Path) -> None:
    path = written(tmp_path / "orders", [past_order("a"), past_order("b")])
    output = StringIO()

    with pytest.raises(SystemExit) as exit_:
        call_command("replay", str(path), *target, "--settle-timeout", "0.2", stdout=output)

    assert exit_.value.code == 1
    assert "still open  2\n" in output.getvalue()


def test_a_file_that_is_wrong_at_its_end_sends_nothing(replay: Replay, tmp_path: Path) -> None:
    path = written(tmp_path / "orders", [past_order("a"), {}])

    with pytest.raises(CommandError, match="Line 2 is not an order"):
        replay(path)
    assert rows() == dict.fromkeys(rows(), 0)


def test_a_key_without_the_permission_is_told_so(live_server: LiveServer, tmp_path: Path) -> None:
    _, api_key = issue_key(client="shop", name="test", permissions=("orders.read",), now=now())
    path = written(tmp_path / "orders", [past_order("a")])

    with pytest.raises(CommandError, match=r"lacks the permission catalogue\.write"):
        call_command("replay", str(path), "--url", live_server.url, "--api-key", api_key)


def _wait_until(holds: Callable[[], bool], *, within_s: float = 30) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
