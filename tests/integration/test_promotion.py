"""The primary is lost under load, the replica promoted: every process writes again, none is restarted."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from config.stack.servers import PRIMARY, Addresses
from tests.platform_kit import FOLDER, Platform, Shoppers, rows, running_platform
from tests.processes import children_of, freeze, thaw, wait_until

WRITES_AGAIN_WITHIN_S = 10.0
_SETTLED_WITHIN_S = 40.0
_SETTLED = "SELECT count(*) FROM orders_order WHERE id = ANY(%s::uuid[]) AND status = 'confirmed'"


@pytest.fixture
def platform(tmp_path: Path, sandbox: object) -> Iterator[Platform]:
    with running_platform(tmp_path, database_urls=lambda _supervisor, _addresses: {}) as platform:
        # What is acknowledged is on the replica too: nothing may be lost by the promotion.
        rows(platform.addresses.superuser, "ALTER SYSTEM SET synchronous_standby_names TO '*'")
        rows(platform.addresses.superuser, "SELECT pg_reload_conf()")
        yield platform


def _lose(platform: Platform, how: str) -> None:
    (postmaster,) = platform.supervisor.pids()[PRIMARY]
    match how:
        case "killed":
            os.kill(postmaster, signal.SIGKILL)
        case "frozen":
            freeze([postmaster])
        case "fenced":
            rows(platform.addresses.superuser, "ALTER SYSTEM SET default_transaction_read_only TO on")
            rows(platform.addresses.superuser, "SELECT pg_reload_conf()")


def _find_again(platform: Platform, how: str) -> None:
    """Let a frozen primary go on, as if it had never been away: nobody fenced it."""
    if how == "frozen":
        (postmaster,) = platform.supervisor.pids()[PRIMARY]
        thaw([*children_of(postmaster), postmaster])


def _superuser_of_replica(addresses: Addresses) -> str:
    return make_conninfo(addresses.superuser, port=conninfo_to_dict(addresses.replica)["port"])


@pytest.mark.parametrize("how", ["killed", "frozen", "fenced"])
def test_every_process_follows_a_promotion(platform: Platform, how: str, record_property) -> None:
    new_primary = _superuser_of_replica(platform.addresses)
    shoppers = Shoppers(platform)
    shoppers.start()
    try:
        wait_until(lambda: len(shoppers.accepted) >= 40)
        processes = platform.processes()
        _note_primary(platform, platform.addresses.primary)
        _lose(platform, how)
        lost_at = time.monotonic()
        assert rows(new_primary, "SELECT pg_promote()") == [(True,)]
        promoted_at = time.monotonic()
        wait_until(lambda: shoppers.first_after(promoted_at), limit_s=60)
        wait_until(lambda: sum(at > promoted_at for at, _id in shoppers.accepted) >= 40, limit_s=60)
        _find_again(platform, how)
        came_back_at = time.monotonic()
        wait_until(lambda: sum(at > came_back_at for at, _id in shoppers.accepted) >= 40, limit_s=60)
    finally:
        shoppers.stop()
        _find_again(platform, how)

    writes_again_s = shoppers.first_after(promoted_at) - lost_at
    ids = [order_id for _at, order_id in shoppers.accepted]
    after = [order_id for at, order_id in shoppers.accepted if at > promoted_at]
    record_property("writes_again_s", round(writes_again_s, 2))
    print(f"{how}: writes again after {writes_again_s:.2f} s, {len(ids)} orders, {shoppers.reads} reads")

    assert writes_again_s <= WRITES_AGAIN_WITHIN_S
    assert (shoppers.errors, shoppers.unread, shoppers.doubled) == ([], [], [])
    # Worker and dispatcher, and the subscriber, too.
    new_url = platform.addresses.replica
    wait_until(lambda: rows(new_url, _SETTLED, ids) == [(len(ids),)], limit_s=_SETTLED_WITHIN_S)
    wait_until(lambda: _all_events_handled(new_url), limit_s=_SETTLED_WITHIN_S)
    assert platform.processes() == processes
    _note_primary(platform, new_url)
    _note_primary(platform, new_url)
    noted = rows(new_url, "SELECT timeline FROM resilience_primary_timeline ORDER BY timeline")
    assert noted == [(1,), (2,)]
    if how != "killed":
        held = "SELECT count(*) FROM orders_order WHERE id = ANY(%s::uuid[])"
        old = make_conninfo(platform.addresses.superuser, dbname="holdfast")
        assert rows(old, held, after) == [(0,)], "the old primary took writes"


_NOTE = "from resilience.routing.failovers import note_primary; note_primary()"


def _note_primary(platform: Platform, url: str) -> None:
    """As a worker does that has followed; one that begins now would believe an old primary that is back."""
    subprocess.run(
        [
            sys.executable,
            "manage.py",
            "shell",
            "-c",
            "from resilience.routing.failovers import *; note_primary()",
        ],
        cwd=FOLDER,
        env={**os.environ, **platform.environment, "HOLDFAST_DATABASE_URL": url},
        check=True,
        timeout=60,
    )


def _all_events_handled(url: str) -> bool:
    late = (
        "SELECT count(*) FROM resilience_subscription s WHERE EXISTS (SELECT FROM resilience_event e"
        " WHERE (e.xid, e.position) > (s.position_xid, s.position))"
    )
    return rows(url, late) == [(0,)]
