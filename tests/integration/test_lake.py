"""The lake: every event once whoever is killed, no half file ever visible, and damage is named."""

import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pyarrow.fs
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from analytics.lake import exporting, keeping
from analytics.lake.exporting import exclusively, export_once
from analytics.lake.keeping import compact, rebuild, verify
from analytics.lake.manifest import LakeMovedError, commit, read_manifest
from analytics.lake.storage import Storage, storage
from config.stack.ports import LOOPBACK, pick_port
from resilience import clock
from tests.lake_kit import NOON, assert_whole, confirmed, exporter, ids_in, placed
from tests.processes import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
AT_ONCE = timedelta(0)


@pytest.fixture
def lake(settings: Any, tmp_path: Path) -> Storage:
    settings.LAKE_URL = str(tmp_path / "lake")
    return storage()


def test_each_event_is_in_the_file_of_its_day_and_type(lake: Storage) -> None:
    late = placed(at=NOON - timedelta(days=3))
    confirmed(placed())
    confirmed(late)

    exported = export_once(lake)

    places = {(file.day, file.type): file.rows for file in read_manifest(lake).files}
    assert exported.rows == 6
    assert places == {
        ("2026-02-26", "order.placed"): 1,
        ("2026-03-01", "order.placed"): 1,
        ("2026-03-01", "order.confirmed"): 2,
        ("2026-03-01", "payment.captured"): 2,
    }
    assert_whole(lake)


def test_a_late_event_goes_to_its_own_day(lake: Storage) -> None:
    placed()
    export_once(lake)
    placed(at=NOON - timedelta(days=40))
    export_once(lake)

    assert {file.day for file in read_manifest(lake).files} == {"2026-03-01", "2026-01-20"}
    assert_whole(lake)


def test_nothing_new_is_no_commit(lake: Storage) -> None:
    placed()
    export_once(lake)
    number = read_manifest(lake).number

    assert export_once(lake).rows == 0
    assert read_manifest(lake).number == number


def test_what_is_not_committed_is_not_visible_and_is_swept(lake: Storage, monkeypatch: Any) -> None:
    placed()
    export_once(lake)
    placed()

    def fail(*_arguments: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(exporting, "commit", fail)
        with pytest.raises(OSError, match="no space"):
            export_once(lake)
    assert len(ids_in(lake)) == 1
    assert len(lake.names("data")) == 2

    export_once(lake)
    assert_whole(lake)
    compact(lake, now=clock.now(), grace=AT_ONCE)
    assert set(lake.names("data")) == {file.path for file in read_manifest(lake).files}
    assert_whole(lake)


def test_a_full_disk_stops_the_lake_and_nothing_else(lake: Storage) -> None:
    placed()
    export_once(lake)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        placed(skus=[f"sku-{number}" for number in range(100)])
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, limits[1]))
        with pytest.raises(OSError, match="File too large"):
            export_once(lake)
        order = placed()  # orders do not notice
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert order
    assert len(ids_in(lake)) == 1
    assert not [name for name in lake.names("data") if name.endswith(".part")]

    export_once(lake)
    assert_whole(lake)


def test_of_two_commits_of_one_number_one_is_refused(lake: Storage) -> None:
    placed()
    export_once(lake)
    now = read_manifest(lake)

    with pytest.raises(LakeMovedError):
        commit(lake, now)


def test_while_one_writes_another_does_nothing(lake: Storage) -> None:
    placed()
    with exclusively(waits=True) as is_ours:
        assert is_ours
        with exporter(lake):
            time.sleep(0.5)  # it has had its chance; there is nothing to wait for
            assert read_manifest(lake).number == 0
    export_once(lake)
    assert_whole(lake)


def test_damage_is_named_and_the_command_says_so(lake: Storage) -> None:
    for _order in range(20):
        placed()
    export_once(lake)
    [file] = read_manifest(lake).files
    path = Path(lake.root) / file.path
    whole = path.read_bytes()

    path.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    [damaged, *_] = verify(lake).faults
    assert damaged.where == file.path
    with pytest.raises(CommandError, match="rebuild"):
        call_command("lake", "verify")

    path.unlink()
    assert "cannot be read" in verify(lake).faults[0].what
    rebuild(lake)
    assert_whole(lake)
    call_command("lake", "verify")


def test_an_event_that_is_missing_or_twice_is_named(lake: Storage) -> None:
    placed()
    placed()
    export_once(lake)
    now = read_manifest(lake)
    [file] = now.files
    twice = lake.write_table(file.path + ".twice", lake.read_table(file.path))
    copy = keeping.DataFile(twice.path, file.day, file.type, file.rows, twice.size, twice.sha256)
    commit(lake, now.following(cursor=now.cursor, added=[copy]))
    assert any("second time" in fault.what for fault in verify(lake).faults)

    commit(lake, read_manifest(lake).following(cursor=now.cursor, added=[], without=[file, copy]))
    assert [fault.what for fault in verify(lake).faults] == ["the lake has 0 events, the log 2"]


def test_compacted_it_holds_the_same_in_fewer_files(lake: Storage) -> None:
    for _batch in range(5):
        confirmed(placed())
        export_once(lake)
    before = sorted(ids_in(lake))

    compact(lake, now=clock.now())
    assert len(lake.names("data")) > 3  # queries that run go on with what they know
    compact(lake, now=clock.now(), grace=AT_ONCE)

    assert sorted(ids_in(lake)) == before
    assert len(lake.names("data")) == len(read_manifest(lake).files) == 3
    placed()
    export_once(lake)
    assert_whole(lake)


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """A server that speaks S3, not ours."""
    port = pick_port(random=Random())
    command = [sys.executable, "-m", "moto.server", "-H", LOOPBACK, "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: answers(port), limit_s=30)
        yield f"{LOOPBACK}:{port}"
    finally:
        process.kill()
        process.wait()


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://{LOOPBACK}:{port}/", timeout=2).status_code < 500
    except httpx.TransportError:
        return False


def test_in_a_bucket_it_is_the_same(s3: str, settings: Any, monkeypatch: Any) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    settings.LAKE_URL, settings.LAKE_S3_ENDPOINT = "s3://lake-bucket/holdfast", f"http://{s3}"
    httpx.put(f"http://{s3}/lake-bucket").raise_for_status()
    bucket = storage()
    assert isinstance(bucket.fs, pyarrow.fs.S3FileSystem)
    for _order in range(3):
        confirmed(placed())
        export_once(bucket)

    with pytest.raises(LakeMovedError):
        commit(bucket, read_manifest(bucket))
    compact(bucket, now=clock.now() + timedelta(minutes=1), grace=AT_ONCE)
    assert len(bucket.names("data")) == 3
    rebuild(bucket)
    assert_whole(bucket)


def test_a_broken_lake_holds_back_no_reader_of_the_log(lake: Storage) -> None:
    with exclusively(waits=True), connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id_if_assigned()")
        assert cursor.fetchone()[0] is None
