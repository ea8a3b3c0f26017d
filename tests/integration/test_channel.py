"""The control channel: a line of JSON each way, between two ticks of the supervisor."""

import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from config.stack.channel import Channel, ask
from config.stack.errors import StackError
from tests.processes import wait_until


def handle(command: Mapping[str, Any]) -> Mapping[str, object]:
    """Say what was said, and in which thread; refuse to `explode`."""
    if command.get("do") == "explode":
        raise StackError("Nothing explodes here.")
    return {"heard": dict(command), "thread": threading.current_thread().name}


@pytest.fixture
def channel(tmp_path: Path) -> Iterator[Channel]:
    channel = Channel(tmp_path)
    yield channel
    channel.close()


def answer_to(channel: Channel, command: Mapping[str, object]) -> dict[str, Any]:
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask, str(channel.address), command)
        wait_until(asking.done, meanwhile=lambda: channel.poll(handle))
        return asking.result()


def test_a_command_is_carried_out_in_the_thread_that_polls(channel: Channel) -> None:
    answer = answer_to(channel, {"do": "stop", "part": "redis"})

    assert answer == {
        "heard": {"do": "stop", "part": "redis"},
        "thread": threading.current_thread().name,
    }


def test_a_refusal_reaches_whoever_asked(channel: Channel) -> None:
    with pytest.raises(StackError, match=r"^Nothing explodes here\.$"):
        answer_to(channel, {"do": "explode"})


@pytest.mark.parametrize("line", [b"stop redis\n", b"[1]\n", b"\n", b"\xff\n"])
def test_what_is_no_command_is_refused(channel: Channel, line: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(str(channel.address))
        client.sendall(line)

        channel.poll(handle)

        assert "error" in json.loads(client.makefile().readline())


def test_who_says_nothing_holds_the_supervisor_for_half_a_second_only(channel: Channel) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(channel.address))
        began = time.monotonic()

        channel.poll(handle)

    assert 0.4 < time.monotonic() - began < 2.0
    assert answer_to(channel, {"do": "status"})["heard"] == {"do": "status"}


def test_who_goes_away_harms_nobody(channel: Channel) -> None:
    with socket.socket(socket.AF_UNIX) as hasty:
        hasty.connect(str(channel.address))
        hasty.sendall(b"{}\n")

    channel.poll(handle)

    assert answer_to(channel, {"do": "status"})["heard"] == {"do": "status"}


def test_only_its_owner_may_ask(channel: Channel) -> None:
    assert channel.address.stat().st_mode & 0o777 == 0o600


def test_a_folder_may_be_deep(tmp_path: Path) -> None:
    deep = tmp_path / ("a" * 60) / ("b" * 60)
    deep.mkdir(parents=True)
    channel = Channel(deep)
    try:
        assert answer_to(channel, {"do": "status"})["heard"] == {"do": "status"}
    finally:
        channel.close()
    assert not channel.address.exists()


def test_a_stack_that_is_gone_is_said_to_be_gone(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="does not answer"):
        ask(str(tmp_path / "control.sock"), {"do": "status"})
