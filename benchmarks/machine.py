"""What the figures were measured on."""

import os
import platform
import re
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks import meter


@dataclass(frozen=True)
class Machine:
    """A machine, as far as a reader needs it to compare."""

    processor: str
    cores: int
    memory_gib: int
    system: str
    versions: str
    load: float


def this_machine() -> Machine:
    """Describe this machine and the load that others put on it now."""
    processor = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    packages = ("Django", "celery", "psycopg", "stripe", "dbos")
    return Machine(
        processor=processor[1] if processor else platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        system=f"{platform.system()} {platform.release().split('-')[0]}",
        versions=f"Python {platform.python_version()}, "
        + ", ".join(f"{name} {version(name)}" for name in packages),
        load=meter.load(),
    )
