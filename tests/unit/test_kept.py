"""What a folder keeps from run to run, also when an older version wrote it."""

import json
from pathlib import Path
from random import Random

from config.stack.kept import read_kept, write_kept
from config.stack.state import HOLDFAST_DIRECTORY


def test_a_webhook_secret_is_kept_and_is_one_for_each_sandbox(tmp_path: Path):
    (tmp_path / HOLDFAST_DIRECTORY).mkdir()
    known = read_kept(tmp_path)
    first, second = known.webhook_secret("sandbox-1"), known.webhook_secret("sandbox-2")
    write_kept(tmp_path, known)

    again = read_kept(tmp_path)

    assert first.startswith("whsec_")
    assert first != second
    assert [again.webhook_secret(name) for name in ("sandbox-1", "sandbox-2")] == [first, second]


def test_what_was_kept_before_there_were_webhook_secrets_is_read(tmp_path: Path):
    (tmp_path / HOLDFAST_DIRECTORY).mkdir()
    known = read_kept(tmp_path)
    key = known.sandbox_key("sandbox-1")
    write_kept(tmp_path, known)
    file = tmp_path / HOLDFAST_DIRECTORY / "kept.json"
    content = json.loads(file.read_text())
    del content["webhook_secrets"]
    file.write_text(json.dumps(content))

    again = read_kept(tmp_path)

    assert again.sandbox_key("sandbox-1") == key
    assert again.webhook_secret("sandbox-1").startswith("whsec_")


def test_no_two_parts_get_the_same_port(tmp_path: Path):
    (tmp_path / HOLDFAST_DIRECTORY).mkdir()
    known = read_kept(tmp_path)

    # Every draw has the same seed: without a look at what others were given, all would be one port.
    ports = [known.proxy_port(f"route-{number}", random=Random(7)) for number in range(20)]

    assert len(set(ports)) == 20


def test_who_leads_is_kept(tmp_path: Path):
    (tmp_path / HOLDFAST_DIRECTORY).mkdir()
    known = read_kept(tmp_path)
    assert known.leader == "postgres-primary"

    known.leader = "postgres-replica"
    write_kept(tmp_path, known)

    assert read_kept(tmp_path).leader == "postgres-replica"
