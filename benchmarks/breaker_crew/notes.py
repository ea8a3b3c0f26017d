"""What the workers of a crew note, in a shared file: read while they run, kept when they are killed."""

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_HEADER = struct.Struct("=4d")
_WORKER = struct.Struct("=8d")


@dataclass
class Orders:
    """What the crew is told. `pace_per_s`: calls of one worker. `broken`: so many always fail."""

    pace_per_s: float
    port: int
    broken: int = 0
    is_over: bool = False


@dataclass
class WorkerNotes:
    """One worker. Times are monotonic seconds of the machine; 0: not yet. `attempts` reached out."""

    pid: int = 0
    attempts: int = 0
    passed: int = 0
    failed: int = 0
    rejected: int = 0
    first_failed_at: float = 0.0
    open_at: float = 0.0
    last_passed_at: float = 0.0


class Notes:
    """The shared memory of a crew of `workers`."""

    def __init__(self, memory: mmap.mmap, workers: int) -> None:
        self._memory = memory
        self.workers = workers

    @classmethod
    def at(cls, path: Path, *, workers: int) -> Self:
        """Open the file, made if it is not there."""
        size = _HEADER.size + workers * _WORKER.size
        with path.open("r+b" if path.exists() else "w+b") as file:
            file.truncate(size)
            return cls(mmap.mmap(file.fileno(), size), workers)

    @property
    def orders(self) -> Orders:
        """What the crew is told."""
        pace, port, broken, is_over = _HEADER.unpack_from(self._memory, 0)
        return Orders(pace, int(port), int(broken), bool(is_over))

    @orders.setter
    def orders(self, orders: Orders) -> None:
        told = (orders.pace_per_s, orders.port, orders.broken, orders.is_over)
        _HEADER.pack_into(self._memory, 0, *told)

    def read(self, index: int) -> WorkerNotes:
        """Return what worker `index` has noted."""
        values = _WORKER.unpack_from(self._memory, self._offset(index))
        return WorkerNotes(*(int(value) for value in values[:5]), *values[5:])

    def all(self) -> list[WorkerNotes]:
        """Return what all have."""
        return [self.read(index) for index in range(self.workers)]

    def write(self, index: int, notes: WorkerNotes) -> None:
        """Note it; only worker `index` does."""
        _WORKER.pack_into(self._memory, self._offset(index), *vars(notes).values())

    def forget_times(self) -> None:
        """Let the workers note the first failure and the first opening from now on."""
        for index in range(self.workers):
            offset = self._offset(index) + 5 * 8
            self._memory[offset : offset + 16] = bytes(16)

    def _offset(self, index: int) -> int:
        return _HEADER.size + index * _WORKER.size
