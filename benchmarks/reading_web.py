"""One web process as the stack runs it, and clients on kept connections that read one address."""

import http.client
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.stage import FOLDER
from config.stack.ports import LOOPBACK, pick_port
from config.stack.probes import http_answers

_GUNICORN = (sys.executable, "-m", "gunicorn", "config.wsgi", "--config", "python:config.gunicorn")
# One client asks as much as it can; how much it may is another benchmark.
_UNLIMITED = {
    "HOLDFAST_THROTTLE_PER_S": "1000000",
    "HOLDFAST_THROTTLE_BURST": "1000000",
    "HOLDFAST_SHEDDER": "off",
}


@contextmanager
def web(*, is_cached: bool) -> Iterator[tuple[int, int]]:
    """Serve inside this block; gives the port and the process above the web process."""
    port = pick_port(random=Random())
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(
            [*_GUNICORN, "--workers", "1", "--bind", f"{LOOPBACK}:{port}"],
            cwd=FOLDER,
            env={**os.environ, **_UNLIMITED, "HOLDFAST_CACHING": str(is_cached)},
            stderr=log,
        )
        try:
            answers, deadline = http_answers(port, "/livez"), time.monotonic() + 20
            while not answers() and time.monotonic() < deadline:
                time.sleep(0.05)
            yield port, server.pid
        finally:
            server.terminate()
            server.wait(20)


def ask(port: int, key: str, path: str, *, seconds: float, clients: int = 4) -> int:
    """Return how many answers `clients` on kept connections get."""
    context = multiprocessing.get_context("fork")
    answers: Any = context.Queue()
    crew = [
        context.Process(target=_ask_process, args=(port, key, path, seconds, answers))
        for _client in range(clients)
    ]
    for process in crew:
        process.start()
    total: int = sum(answers.get(timeout=seconds + 60) for _client in crew)
    for process in crew:
        process.join(10)
    return total


def _ask_process(port: int, key: str, path: str, seconds: float, answers: Any) -> None:
    connection, count = http.client.HTTPConnection(LOOPBACK, port, timeout=10), 0
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
        answer = connection.getresponse()
        document = answer.read()
        assert answer.status == 200, document
        count += 1
    answers.put(count)


def cpu_s(master: int) -> float:
    """Return the CPU that the web processes below `master` have used."""
    children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in children]
    return sum(int(field[11]) + int(field[12]) for field in fields) / os.sysconf("SC_CLK_TCK")


def p99_ms(times: list[float]) -> float:
    """Return what 99 of 100 do not exceed."""
    return 1000 * statistics.quantiles(times, n=100)[98]


def timed(port: int, key: str, path: str, *, seconds: float) -> list[float]:
    """Return how long each answer took for four clients that pause in between."""
    times: list[float] = []

    def client() -> None:
        connection = http.client.HTTPConnection(LOOPBACK, port, timeout=10)
        deadline = time.monotonic() + seconds
        while (began := time.monotonic()) < deadline:
            connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200
            times.append(time.monotonic() - began)
            time.sleep(0.005)

    threads = [threading.Thread(target=client) for _client in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times
