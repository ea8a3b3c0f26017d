"""`lab breaker`: calls that reach a dead dependency until the fleet is protected, by who counts with whom."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from statistics import fmean

from resilience.breaker.outcomes import CallOutcome
from resilience.breaker.policy import BreakerPolicy
from resilience.lab.experiment import Experiment, random_for
from resilience.lab.findings import Axis, Cell, Chart, Scale, Series, Table
from resilience.lab.fleet import (
    LIMIT_S,
    Fleet,
    Protection,
    protect,
    protect_by_shared_state,
    protect_each_alone,
    watch_one_broken_worker,
)
from resilience.lab.sliders import check_bounds, slider

SIZES = (2, 5, 20, 50, 100)
# How long one broken worker is watched.
WATCHED_S = 30.0


@dataclass(frozen=True)
class BreakerSettings:
    """The fleet, and how much it must see."""

    workers: int = slider(100, lowest=2, highest=200, meaning="workers that call the dependency")
    calls_per_s: float = slider(
        0.2, lowest=0.02, highest=5.0, unit="calls/s", meaning="how often each of them calls"
    )
    calls_min: int = slider(10, lowest=2, highest=100, meaning="calls below which a rate says nothing")
    healthy_s: float = slider(
        10.0, lowest=0.0, highest=30.0, unit="s", meaning="how long all was well before it died"
    )
    runs: int = slider(3, lowest=1, highest=10, meaning="runs that a figure averages")

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True)
class Mean:
    """Several runs: calls that reached it, seconds until all were protected; None: not all, in some run."""

    calls: float
    open_s: float | None


def designs(settings: BreakerSettings) -> dict[str, Callable[[Fleet, Random], Protection]]:
    """Return what is compared. The two that are not ours have seen no good calls from before."""
    policy = BreakerPolicy(calls_min=settings.calls_min)

    def ours(
        death: CallOutcome, *, healthy_s: float, is_redis_there: bool = True
    ) -> Callable[[Fleet, Random], Protection]:
        return lambda fleet, random: protect(
            fleet,
            death=death,
            healthy_s=healthy_s,
            policy=policy,
            random=random,
            is_redis_there=is_redis_there,
        )

    before_s = settings.healthy_s
    return {
        "each alone": lambda fleet, random: protect_each_alone(
            fleet, calls_min=settings.calls_min, random=random
        ),
        "shared state": lambda fleet, random: protect_by_shared_state(
            fleet, calls_min=settings.calls_min, random=random
        ),
        "ours, no calls before": ours(CallOutcome.SERVER_FAULT, healthy_s=0.0),
        "ours, errors": ours(CallOutcome.SERVER_FAULT, healthy_s=before_s),
        "ours, nobody there": ours(CallOutcome.UNREACHABLE, healthy_s=before_s),
        "ours, Redis away, nobody there": ours(
            CallOutcome.UNREACHABLE, healthy_s=before_s, is_redis_there=False
        ),
    }


def means(settings: BreakerSettings, *, workers: int, seed: int) -> dict[str, Mean]:
    """Return the figures of each design for a fleet of this size."""
    fleet = Fleet(workers, settings.calls_per_s)
    return {
        label: _mean([design(fleet, random_for(seed, label, workers, run)) for run in range(settings.runs)])
        for label, design in designs(settings).items()
    }


def _mean(runs: list[Protection]) -> Mean:
    opened_s = [one.open_s for one in runs if one.open_s is not None]
    is_open = len(opened_s) == len(runs)
    return Mean(fmean(one.calls for one in runs), fmean(opened_s) if is_open else None)


def _observe(settings: BreakerSettings, *, seed: int) -> tuple[tuple[Table, ...], tuple[Chart, ...]]:
    sizes = sorted({*(size for size in SIZES if size < settings.workers), settings.workers})
    by_size = {size: means(settings, workers=size, seed=seed) for size in sizes}
    tables = (_table(settings, by_size[settings.workers]), _broken_table(settings, seed))
    return tables, (_calls_chart(settings, by_size), _time_chart(settings, by_size))


def _table(settings: BreakerSettings, found: dict[str, Mean]) -> Table:
    return Table(
        f"{settings.workers} workers, each {settings.calls_per_s:g} calls/s, until the last is protected",
        ("design", "calls", "s"),
        tuple((label, one.calls, _seconds(one)) for label, one in found.items()),
    )


def _seconds(one: Mean) -> Cell:
    return f"not in {LIMIT_S:g}" if one.open_s is None else one.open_s


def _broken_table(settings: BreakerSettings, seed: int) -> Table:
    fleet = Fleet(settings.workers, settings.calls_per_s)
    policy = BreakerPolicy(calls_min=settings.calls_min)
    watched = [
        watch_one_broken_worker(
            fleet, for_s=WATCHED_S, policy=policy, random=random_for(seed, "one broken", run)
        )
        for run in range(settings.runs)
    ]
    return Table(
        f"One broken worker of {settings.workers}, for {WATCHED_S:g} s",
        ("run", "calls that it lost", "calls refused to others", "the fleet opened"),
        tuple(
            (
                f"{run}",
                float(one.failed_calls),
                float(one.refused_to_others),
                "yes" if one.fleet_opened else "no",
            )
            for run, one in enumerate(watched, start=1)
        ),
    )


def _calls_chart(settings: BreakerSettings, by_size: dict[int, dict[str, Mean]]) -> Chart:
    last = by_size[settings.workers]
    return Chart(
        "breaker-calls",
        "Calls that reach a dead dependency until all workers are protected",
        f"{settings.workers} workers: ours {last['ours, nobody there'].calls:.0f} when nobody is there, "
        f"{last['ours, errors'].calls:.0f} on errors; {last['each alone'].calls:,.0f} each alone.",
        Axis("workers", Scale.LOG),
        Axis("calls that reach it", Scale.LOG),
        _curves(by_size, lambda one: one.calls),
    )


def _time_chart(settings: BreakerSettings, by_size: dict[int, dict[str, Mean]]) -> Chart:
    last = {label: _shown_s(one) for label, one in by_size[settings.workers].items()}
    return Chart(
        "breaker-time",
        f"Time until all workers are protected ({LIMIT_S:g} s: they are not)",
        f"{settings.workers} workers: ours {last['ours, nobody there']:.1f} s when nobody is there, "
        f"{last['ours, errors']:.1f} s on errors; {last['each alone']:.0f} s each alone.",
        Axis("workers", Scale.LOG),
        Axis("time until all are protected, s", Scale.LOG),
        _curves(by_size, _shown_s),
    )


def _shown_s(one: Mean) -> float:
    return LIMIT_S if one.open_s is None else one.open_s


def _curves(by_size: dict[int, dict[str, Mean]], figure: Callable[[Mean], float]) -> tuple[Series, ...]:
    labels = by_size[max(by_size)]
    sizes = tuple(float(size) for size in by_size)
    return tuple(
        Series(label, sizes, tuple(figure(found[label]) for found in by_size.values())) for label in labels
    )


BREAKER = Experiment(
    "breaker",
    "Breakers when a dependency dies",
    "How many calls still reach a dependency that has died, and how long is a fleet unprotected?",
    BreakerSettings,
    _observe,
)
