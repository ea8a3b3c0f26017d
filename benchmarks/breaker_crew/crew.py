"""A crew from outside: started, told what to do, watched, ended; and the dependency that it calls."""

import contextlib
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.breaker_crew.notes import Notes, Orders

FOLDER = Path(__file__).resolve().parents[2]
_START_LIMIT_S = 120.0


class Dependency:
    """A server that answers at once, holds its callers, or is not there; it knows who is with it now."""

    def __init__(self) -> None:
        self._listener: socket.socket | None = None
        self.port = 0
        self._lock = threading.Lock()
        self._answering = threading.Event()
        self._answering.set()
        self.with_us: dict[socket.socket, int] = {}
        self.calls: list[float] = []
        self.most_at_once = 0

    def up(self) -> None:
        """Listen, on the same port as before."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(256)
        self.port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._serve, args=(listener,), daemon=True).start()

    def down(self) -> None:
        """Be gone: connections are refused."""
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def hold(self) -> None:
        """Answer nobody, until `answer`."""
        self._answering.clear()

    def answer(self) -> None:
        """Answer, also those who wait."""
        self._answering.set()

    def pids(self) -> list[int]:
        """Return the processes that wait for an answer."""
        with self._lock:
            return list(self.with_us.values())

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                wire, _address = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer_one, args=(wire,), daemon=True).start()

    def _answer_one(self, wire: socket.socket) -> None:
        with wire:
            caller = wire.recv(4)
            if len(caller) < 4:
                return
            with self._lock:
                self.calls.append(time.monotonic())
                self.with_us[wire] = struct.unpack("=i", caller)[0]
                self.most_at_once = max(self.most_at_once, len(self.with_us))
            wire.settimeout(0)
            while not self._answering.wait(0.005) and not _has_left(wire):
                pass
            with self._lock:
                del self.with_us[wire]
            if self._answering.is_set():
                try:
                    wire.send(b"k")
                except OSError:
                    return


def _has_left(wire: socket.socket) -> bool:
    try:
        return wire.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


@contextmanager
def crew(
    *, workers: int, guard: str, name: str, port: int, directory: Path, environment: Mapping[str, str]
) -> Iterator[Notes]:
    """Run so many workers, idle at first, until the block ends."""
    path = directory / f"{guard}-{time.monotonic_ns()}.notes"
    notes = Notes.at(path, workers=workers)
    notes.orders = Orders(0.0, port)
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.breaker_crew", str(path), str(workers), guard, name],
        cwd=FOLDER,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + _START_LIMIT_S
        while not all(one.pid for one in notes.all()):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the crew did not start")
            time.sleep(0.02)
        yield notes
    finally:
        notes.orders = Orders(0.0, port, is_over=True)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            for one in notes.all():
                with contextlib.suppress(ProcessLookupError):
                    if one.pid:
                        os.kill(one.pid, 9)
            process.kill()
            process.wait()
        path.unlink()
