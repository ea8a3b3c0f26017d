"""The benchmark works: every contender settles a few orders, rightly, and is found out when it does not.

No speed is asserted here; this machine is busy with the tests.
"""

from collections.abc import Iterator

import httpx
import pytest

from benchmarks import statements
from benchmarks.backlog import Backlog, WrongWorkError, place, stock_up
from benchmarks.backlog import check as check_work
from benchmarks.closed_loop import run_clients
from benchmarks.contenders.base import Contender
from benchmarks.contenders.celery_chain import CeleryChain
from benchmarks.contenders.dbos_queue import DbosQueue
from benchmarks.contenders.holdfast import Holdfast
from benchmarks.contenders.pgbench import replay, scripts
from benchmarks.contenders.recording import record
from benchmarks.drain import drain
from benchmarks.meter import ENGINE, POSTGRES
from benchmarks.stage import Book, Stage, stage_on
from config.bootstrap import bootstrap
from resilience.clock import now
from tests.harness import Harness

pytestmark = pytest.mark.django_db(transaction=True)

ORDERS = 12


@pytest.fixture(scope="module")
def gateway_and_servers(harness: Harness) -> Stage:
    """The servers of the session, with the fast gateway beside them until the session ends."""
    return stage_on(harness.addresses, directory=harness.directory, supervisor=harness.supervisor)


@pytest.fixture
def stage(gateway_and_servers: Stage, settings) -> Iterator[Stage]:
    environment = gateway_and_servers.environment
    settings.GATEWAYS = [
        {"name": "benchmark", "url": gateway_and_servers.gateway.url, "secret_key": "sk_test_x"}
    ]
    settings.SECRET_KEY = environment["HOLDFAST_SECRET_KEY"]
    stock_up()
    return gateway_and_servers


@pytest.mark.parametrize(
    "contender", [Holdfast(workers=1), CeleryChain(workers=1), DbosQueue(workers=1)], ids=lambda one: one.name
)
def test_a_contender_settles_every_order_and_its_cpu_is_counted(contender: Contender, stage: Stage) -> None:
    figures = drain(contender, stage=stage, orders=ORDERS, latency_ms=10)

    assert figures.orders == ORDERS
    assert figures.per_s > 0
    assert figures.cpu_ms[ENGINE] > 0
    assert stage.gateway.book() == Book(authorized=ORDERS, captured=ORDERS)


def test_pgbench_leaves_the_rows_of_confirmed_orders(stage: Stage) -> None:
    stage.gateway.begin(latency_ms=0)
    recording = record()

    for script in scripts(recording):
        figures = replay(script, clients=2, recording=recording, stage=stage, orders=ORDERS, latency_ms=1)

        assert figures.orders == ORDERS
        assert figures.cpu_ms[POSTGRES] > 0
        assert script.commits == 3


def test_statements_are_counted_in_the_servers_log(stage: Stage) -> None:
    cost = statements.count(Holdfast(workers=1), stage=stage, orders=ORDERS)

    assert 3 / ORDERS <= cost.commits < 20
    assert 18 / ORDERS <= cost.statements < 60


def test_a_statement_outside_of_a_transaction_is_a_commit_too() -> None:
    sent = [
        ("1", "BEGIN"),
        ("1", "UPDATE"),
        ("2", "SELECT"),
        ("1", "COMMIT"),
        ("1", "SELECT"),
        ("3", "BEGIN"),
    ]
    sent += [("3", "INSERT"), ("3", "ROLLBACK")]

    assert statements.tally(sent) == (4, 3)


def test_clients_place_orders_until_they_are_settled(stage: Stage) -> None:
    api_key = bootstrap(now=now()).api_key

    loop = run_clients(stage=stage, api_key=api_key, clients=2, seconds=1.0, latency_ms=0)

    assert loop.orders >= 2
    assert len(loop.settle_ms) == loop.orders
    assert min(loop.settle_ms) > min(loop.post_ms) > 0


def test_work_that_was_not_done_is_no_figure(stage: Stage) -> None:
    backlog = place(2)

    with pytest.raises(WrongWorkError, match="of 2 orders 0 are confirmed, 0 paid"):
        check_work(backlog, Book(authorized=2, captured=2))


def test_a_charge_too_many_is_no_figure(stage: Stage) -> None:
    nothing = Backlog(ids=())

    with pytest.raises(WrongWorkError, match="authorized 1 and captured 1"):
        check_work(nothing, Book(authorized=1, captured=1))


def test_the_gateway_charges_once_per_key_and_intent(stage: Stage) -> None:
    stage.gateway.begin(latency_ms=0)
    url = f"{stage.gateway.url}/v1/payment_intents"
    form = {
        "amount": "500",
        "currency": "eur",
        "payment_method": "pm_card_visa",
        "metadata[operation_key]": "k",
    }

    first, again = (httpx.post(url, data=form, headers={"Idempotency-Key": "k"}).json() for _ in range(2))
    captures = [httpx.post(f"{url}/{first['id']}/capture").json()["status"] for _ in range(2)]
    found = httpx.get(f"{url}/search", params={"query": "metadata['operation_key']:'k'"}).json()["data"]

    assert first == again
    assert captures == ["succeeded", "succeeded"]
    assert [one["id"] for one in found] == [first["id"]]
    assert httpx.get(f"{url}/pi_unknown").status_code == 404
    assert stage.gateway.book() == Book(authorized=1, captured=1)
