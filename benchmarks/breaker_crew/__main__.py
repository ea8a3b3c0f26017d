"""`python -m benchmarks.breaker_crew NOTES WORKERS GUARD NAME`: the workers, forked once Django is up."""

import os
import random
import socket
import struct
import sys
import time
from pathlib import Path

import django

from benchmarks.breaker_crew.guards import GUARDS, Guard, Rejected
from benchmarks.breaker_crew.notes import Notes, WorkerNotes

# Longer than a held probe of any test; nobody means to wait that long.
_READ_LIMIT_S = 30.0
# A port that nobody listens on: bound by the parent.
_TICK_S = 0.02


def main() -> None:
    """Fork the workers and wait for them."""
    path, workers, guard, name = sys.argv[1:]
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    notes = Notes.at(Path(path), workers=int(workers))
    dead = socket.socket()
    dead.bind(("127.0.0.1", 0))  # bound, and nobody listens: refused for as long as we live
    children = []
    for index in range(int(workers)):
        child = os.fork()
        if child == 0:
            try:
                _work(notes, index, GUARDS[guard](name), dead.getsockname()[1])
            finally:
                os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


def _work(notes: Notes, index: int, guard: Guard, dead_port: int) -> None:
    chance = random.Random(os.getpid())
    mine = WorkerNotes(pid=os.getpid())
    notes.write(index, mine)
    next_at = time.monotonic() + chance.random()
    while not (orders := notes.orders).is_over and os.getppid() != 1:
        now = time.monotonic()
        shared = notes.read(index)
        mine.first_failed_at, mine.open_at = shared.first_failed_at, shared.open_at
        if not mine.open_at and guard.is_open():
            mine.open_at = now
        if orders.pace_per_s > 0 and now >= next_at:
            next_at = max(next_at, now - 1) + chance.expovariate(orders.pace_per_s)
            _call(guard, mine, notes, index, dead_port if index < orders.broken else orders.port)
        notes.write(index, mine)
        time.sleep(max(0.0, min(_TICK_S, next_at - time.monotonic())))


def _call(guard: Guard, mine: WorkerNotes, notes: Notes, index: int, port: int) -> None:
    def attempt() -> None:
        mine.attempts += 1
        notes.write(index, mine)
        with socket.create_connection(("127.0.0.1", port), timeout=_READ_LIMIT_S) as wire:
            wire.sendall(struct.pack("=i", mine.pid))
            if wire.recv(1) != b"k":
                raise ConnectionResetError("no answer")

    try:
        guard.call(attempt)
    except Rejected:
        mine.rejected += 1
    except OSError:
        mine.failed += 1
        mine.first_failed_at = mine.first_failed_at or time.monotonic()
    else:
        mine.passed += 1
        mine.last_passed_at = time.monotonic()


if __name__ == "__main__":
    main()
