"""Workers that die, and more orders than can be done."""

from config.gameday import expect, faults
from config.gameday.scenario import Scenario, Times

WORKER_MASSACRE = Scenario(
    name="worker-massacre",
    title="All workers are killed with -9 at once, every five seconds.",
    fault=faults.killed_again_and_again("worker", every_s=5),
    measures_capacity=True,
    expects=(
        expect.all_accepted(),
        expect.no_errors("GET"),
        expect.all_confirmed(),
        # The leases of the dead run out after 15 s.
        expect.drained_within_s(60),
    ),
)

OVERLOAD = Scenario(
    name="overload",
    title="Three times as many orders as the stack can accept.",
    rate=10.0,
    times=Times(steady_s=20, fault_s=60, after_s=70),
    short=Times(steady_s=6, fault_s=10, after_s=15),
    fault=faults.nothing,
    surge=3.0,
    settle_s=300.0,
    expects=(
        expect.goodput_at_least(0.8),
        expect.p99_at_most("livez", ms=100),
        expect.normal_again_within(60),
        expect.none_missing(),
        expect.nothing_restarts(),
    ),
)
