"""Workloads: who reads much, reads beside the orders and not in their way.

The danger: one report of half a minute holds the connections, the memory and the disk that orders wait
for. So each workload has an alias of its own (role, statement timeout, pool), on the replica, and only so
many of its reads run at a time in a process.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Literal

from resilience.errors import Operational
from resilience.routing.permits import RETRY_AFTER_S, Permits
from resilience.routing.scope import ReadScope, replica_reads
from resilience.routing.tokens import CausalityToken

# Aliases in settings.DATABASES.
Workload = Literal["dashboard", "reports"]


class WorkloadBusyError(Operational):
    """As many reads of this workload run in this process as may."""

    code = "workload_busy"


def _busy(name: Workload) -> Operational:
    return WorkloadBusyError(f"Enough reads of {name} run already. Try again.", retry_after_s=RETRY_AFTER_S)


# Not above the pools' sizes (config/databases.py): more would wait there, and fail less clearly.
_READS: dict[Workload, Permits] = {
    "dashboard": Permits(size=4, full=partial(_busy, "dashboard")),
    "reports": Permits(size=2, full=partial(_busy, "reports")),
}


@contextmanager
def workload(name: Workload, *, token: CausalityToken | None = None) -> Iterator[ReadScope]:
    """Let reads in this block run as this workload: on its own alias, which is the replica's.

    Where the replica does not serve, the primary answers, few at a time and under the limits of requests:
    what takes longer than those (a report of half a minute) ends there.
    Raises WorkloadBusyError when enough of it run already.
    """
    with _READS[name].permit(), replica_reads(token=token, replica=name) as scope:
        yield scope
