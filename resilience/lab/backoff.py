"""`lab backoff`: who waits how before the next try, in a crowd at one row and after an outage."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

from resilience.lab import contention
from resilience.lab.contention import contend
from resilience.lab.experiment import Experiment, random_for
from resilience.lab.findings import Axis, Chart, ChartKind, Scale, Series, Table
from resilience.lab.recovery import Outage, Recovery, Wait, by_policy, in_whole_seconds, recover
from resilience.lab.sliders import check_bounds, slider
from resilience.retry.policy import Jitter, RetryPolicy

# The curve of the article: a point every ten clients.
CLIENTS_STEP = 10
WAIT_INITIAL_S = 1.0
FIXED_WAIT_S = 1.0
# How much of the time after a failure the second picture shows, beyond the outage.
SHOWN_AFTER_S = 90
# Where the logarithmic axis of who was served begins.
SHOWN_FROM_S = 0.1
SHARES_SHOWN = tuple(range(1, 101))


@dataclass(frozen=True)
class BackoffSettings:
    """Both simulations' sliders."""

    clients_max: int = slider(190, lowest=10, highest=300, meaning="most clients that update one row")
    runs: int = slider(5, lowest=1, highest=20, meaning="runs that a point of the contention curve averages")
    waiting: int = slider(2000, lowest=100, highest=5000, meaning="clients that wait for the outage to end")
    outage_s: float = slider(30.0, lowest=1.0, highest=600.0, unit="s", meaning="how long it lasts")
    capacity_per_s: float = slider(
        200.0, lowest=20.0, highest=2000.0, unit="calls/s", meaning="what the server takes when it is back"
    )
    per_process: int = slider(100, lowest=1, highest=5000, meaning="of them that share a process's budget")
    wait_max_s: float = slider(60.0, lowest=1.0, highest=600.0, unit="s", meaning="cap of a client's wait")

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True)
class Point:
    """Mean of several runs: simulated time until the last client was done, and writes tried."""

    clients: int
    completed_s: float
    writes: float


def contention_policies() -> dict[str, RetryPolicy | None]:
    """Return the five of the article, in its own numbers."""
    spread = (contention.WAIT_INITIAL_S, contention.WAIT_MAX_S)
    return {
        "none": None,
        "exponential": RetryPolicy(*spread, jitter=Jitter.NONE),
        "equal jitter": RetryPolicy(*spread, jitter=Jitter.EQUAL),
        "full jitter": RetryPolicy(*spread, jitter=Jitter.FULL),
        "decorrelated jitter": RetryPolicy(
            contention.WAIT_INITIAL_DECORRELATED_S, contention.WAIT_MAX_S, jitter=Jitter.DECORRELATED
        ),
    }


def contention_curve(*, label: str, clients: Iterable[int], runs: int, seed: int) -> tuple[Point, ...]:
    """Return a point per number of clients for the policy of this label."""
    policy = contention_policies()[label]
    return tuple(_point(label, policy, count, runs, seed) for count in clients)


def recoveries(settings: BackoffSettings, *, seed: int) -> dict[str, Recovery]:
    """Return how the crowd got through under each rule."""
    outage = Outage(settings.waiting, settings.outage_s, settings.capacity_per_s, settings.per_process)
    waits = _waits(settings.wait_max_s)
    found = {
        label: recover(outage, wait=wait, random=random_for(seed, "recovery", label))
        for label, wait in waits.items()
    }
    found["full jitter, budget"] = recover(
        outage, wait=waits["full jitter"], random=random_for(seed, "budget"), is_budgeted=True
    )
    return found


def _waits(wait_max_s: float) -> dict[str, Wait]:
    exponential, equal, full, decorrelated = (
        RetryPolicy(WAIT_INITIAL_S, wait_max_s, jitter=jitter)
        for jitter in (Jitter.NONE, Jitter.EQUAL, Jitter.FULL, Jitter.DECORRELATED)
    )
    return {
        "every second": by_policy(RetryPolicy(FIXED_WAIT_S, FIXED_WAIT_S, jitter=Jitter.NONE)),
        "exponential": by_policy(exponential),
        "equal jitter": by_policy(equal),
        "full jitter": by_policy(full),
        "decorrelated jitter": by_policy(decorrelated),
        "full, whole seconds": in_whole_seconds(exponential),
    }


def _point(label: str, policy: RetryPolicy | None, clients: int, runs: int, seed: int) -> Point:
    seen = [
        contend(clients=clients, policy=policy, random=random_for(seed, label, clients, run))
        for run in range(runs)
    ]
    return Point(clients, fmean(one.completed_s for one in seen), fmean(one.writes for one in seen))


def _observe(settings: BackoffSettings, *, seed: int) -> tuple[tuple[Table, ...], tuple[Chart, ...]]:
    sizes = range(CLIENTS_STEP, settings.clients_max + 1, CLIENTS_STEP)
    curves = {
        label: contention_curve(label=label, clients=sizes, runs=settings.runs, seed=seed)
        for label in contention_policies()
    }
    found = recoveries(settings, seed=seed)
    tables = (_contention_table(curves), _recovery_table(found))
    return tables, (*_contention_charts(curves), _served_chart(found), _calls_chart(found, settings))


def _contention_table(curves: dict[str, tuple[Point, ...]]) -> Table:
    return Table(
        f"{next(iter(curves.values()))[-1].clients} clients update one row",
        ("policy", "done after s", "writes tried"),
        tuple((label, points[-1].completed_s, points[-1].writes) for label, points in curves.items()),
    )


def _recovery_table(found: dict[str, Recovery]) -> Table:
    return Table(
        "After the outage",
        ("policy", "calls", "in the outage", "all served after s", "half after s", "peak per 100 ms"),
        tuple(
            (label, one.calls, one.calls_in_outage, one.completed_s, one.wait_median_s, one.peak)
            for label, one in found.items()
        ),
    )


def _contention_charts(curves: dict[str, tuple[Point, ...]]) -> tuple[Chart, Chart]:
    last = {label: points[-1] for label, points in curves.items()}
    clients = Axis("clients that update the same row")
    full, bare = last["full jitter"], last["exponential"]
    return (
        Chart(
            "contention-time",
            "One row, many clients: time until the last is done",
            f"{full.completed_s:.1f} s with full jitter, {bare.completed_s:.1f} s without jitter.",
            clients,
            Axis("time until the last client is done, s", Scale.LOG),
            tuple(_curve(label, points, "completed_s") for label, points in curves.items()),
        ),
        Chart(
            "contention-writes",
            "One row, many clients: writes until the last is done",
            f"{full.writes:,.0f} writes with full jitter, {bare.writes:,.0f} without jitter, "
            f"{last['none'].writes:,.0f} without a wait.",
            clients,
            Axis("writes tried", lowest=0.0),
            tuple(_curve(label, points, "writes") for label, points in curves.items()),
        ),
    )


def _curve(label: str, points: tuple[Point, ...], what: str) -> Series:
    return Series(
        label, tuple(point.clients for point in points), tuple(getattr(point, what) for point in points)
    )


def _served_chart(found: dict[str, Recovery]) -> Chart:
    full, bare = found["full jitter"], found["exponential"]
    return Chart(
        "recovery-served",
        "After an outage: who is served when",
        f"All are served {full.completed_s:.0f} s after the outage with full jitter, "
        f"{found['full jitter, budget'].completed_s:.0f} s with a budget too, "
        f"{bare.completed_s:,.0f} s without jitter.",
        Axis("time since the end of the outage, s", Scale.LOG, lowest=SHOWN_FROM_S),
        Axis("clients served, %", lowest=0.0),
        tuple(_served(label, one.served_s) for label, one in found.items()),
    )


def _served(label: str, served_s: tuple[float, ...]) -> Series:
    moments = tuple(served_s[-(-share * len(served_s) // 100) - 1] for share in SHARES_SHOWN)
    return Series(label, moments, tuple(float(share) for share in SHARES_SHOWN))


def _calls_chart(found: dict[str, Recovery], settings: BackoffSettings) -> Chart:
    shown = int(settings.outage_s) + SHOWN_AFTER_S
    full, bare = found["full jitter"], found["exponential"]
    return Chart(
        "recovery-calls",
        f"Calls per second, from the failure on (it is back after {settings.outage_s:g} s)",
        f"At most {full.peak} calls per 100 ms come with full jitter, {bare.peak} without jitter.",
        Axis("time since the failure, s"),
        Axis("calls per second", Scale.LOG, lowest=1.0),
        tuple(
            Series(
                label,
                tuple(float(second) for second in range(len(one.calls_by_second[:shown]))),
                # A logarithmic axis has no zero; this is below where it begins.
                tuple(max(0.5, float(count)) for count in one.calls_by_second[:shown]),
                ChartKind.STEPS,
            )
            for label, one in found.items()
        ),
    )


BACKOFF = Experiment(
    "backoff",
    "Contention and recovery, with and without jitter",
    "What does it cost when everyone tries again, and what does chance save?",
    BackoffSettings,
    _observe,
)
