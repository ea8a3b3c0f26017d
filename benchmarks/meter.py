"""CPU that groups of processes have used, read from /proc (so the benchmark runs on Linux only)."""

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from config.stack.servers import PRIMARY, REDIS, REPLICA

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# The four groups of the table; `engine` is whatever the contender runs itself.
ENGINE, POSTGRES, BROKER, GATEWAY = "engine", "PostgreSQL", "Redis", "gateway"
_GROUP_OF_PART = {PRIMARY: POSTGRES, REPLICA: POSTGRES, REDIS: BROKER, "sandbox": GATEWAY, "gateway": GATEWAY}


@dataclass(frozen=True)
class _Process:
    parent: int
    ticks: int


def cpu_by_group(pids_by_part: Mapping[str, Sequence[int]]) -> dict[str, float]:
    """Return the CPU seconds used so far by each group, with all its descendants, living and dead."""
    processes = _processes()
    children: dict[int, list[int]] = defaultdict(list)
    for pid, process in processes.items():
        children[process.parent].append(pid)
    used: dict[str, float] = dict.fromkeys((ENGINE, POSTGRES, BROKER, GATEWAY), 0.0)
    for part, pids in pids_by_part.items():
        group = _GROUP_OF_PART.get(part, ENGINE)
        tree = _descendants(pids, children)
        used[group] += sum(processes[pid].ticks for pid in tree if pid in processes) / _TICKS_PER_S
    return used


def load() -> float:
    """Return the load average of the last minute."""
    return os.getloadavg()[0]


def _descendants(pids: Iterable[int], children: Mapping[int, Sequence[int]]) -> set[int]:
    found: set[int] = set()
    todo = list(pids)
    while todo:
        pid = todo.pop()
        if pid not in found:
            found.add(pid)
            todo += children.get(pid, ())
    return found


def _processes() -> dict[int, _Process]:
    found = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name in parentheses may hold spaces and parentheses itself.
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        # utime, stime, and both of children that have ended (proc(5), fields 14 to 17).
        found[int(entry.parent.name)] = _Process(int(fields[1]), sum(int(ticks) for ticks in fields[11:15]))
    return found
