"""The platform through a real PgBouncer in transaction mode: orders settle once, whatever it forgets."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random

import pytest

from config.stack import pgbouncer
from config.stack.account import server_account
from config.stack.pgbouncer import PgBouncer
from config.stack.ports import pick_port
from config.stack.servers import Addresses
from config.stack.supervisor import Supervisor
from tests.conftest import SandboxClient
from tests.platform_kit import Platform, Shoppers, rows, running_platform
from tests.processes import wait_until

_PROGRAM = pgbouncer.find_program()
pytestmark = pytest.mark.skipif(_PROGRAM is None, reason="PgBouncer is not installed (apt install pgbouncer)")

_ORDERS = 60
_SETTLED_WITHIN_S = 40.0


def _pooled(supervisor: Supervisor, addresses: Addresses) -> Mapping[str, str]:
    assert _PROGRAM is not None
    pooler = PgBouncer(
        directory=supervisor._logs.parent / "pgbouncer",
        port=pick_port(random=Random()),
        account=server_account(),
        program=_PROGRAM,
        servers={"holdfast": addresses.primary, "holdfast_replica": addresses.replica},
    )
    supervisor.start(pgbouncer.part_of(pooler))
    return {
        "HOLDFAST_DATABASE_URL": pooler.url("holdfast"),
        "HOLDFAST_REPLICA_URL": pooler.url("holdfast_replica"),
    }


@pytest.fixture
def platform(tmp_path: Path, sandbox: SandboxClient) -> Iterator[Platform]:
    with running_platform(tmp_path, database_urls=_pooled) as platform:
        yield platform


def test_orders_settle_once_through_a_pooler(platform: Platform, sandbox: SandboxClient) -> None:
    shoppers = Shoppers(platform)
    shoppers.start()
    wait_until(lambda: len(shoppers.accepted) >= _ORDERS, limit_s=60)
    shoppers.stop()
    ids = [order_id for _at, order_id in shoppers.accepted]
    url = platform.addresses.primary
    settled = "SELECT count(*) FROM orders_order WHERE id = ANY(%s::uuid[]) AND status = 'confirmed'"

    wait_until(lambda: rows(url, settled, ids) == [(len(ids),)], limit_s=_SETTLED_WITHIN_S)
    assert (shoppers.errors, shoppers.unread, shoppers.doubled) == ([], [], [])
    assert len(set(ids)) == len(ids)
    book = sandbox.orders()
    assert {(book[one]["captures"], book[one]["refunded"]) for one in ids} == {(1, 0)}
    # It was the pooler's few connections that did it, for many clients.
    at_server = "SELECT count(DISTINCT pid) FROM pg_stat_activity WHERE usename = 'holdfast'"
    assert rows(platform.addresses.superuser, at_server)[0][0] <= 2 * pgbouncer._SERVERS_MAX
    # The limits of requests hold behind it too: they are the role's.
    assert _timeouts(platform) == {"5s"}


def _timeouts(platform: Platform) -> set[str]:
    environment = platform.environment
    return {
        rows(environment[name], "SELECT current_setting('statement_timeout')")[0][0]
        for name in ("HOLDFAST_DATABASE_URL", "HOLDFAST_REPLICA_URL")
    }
