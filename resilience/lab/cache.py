"""`lab cache`: what a hot key costs when it runs out, under all of our read-through or parts of it."""

import math
from dataclasses import dataclass

from resilience.lab.experiment import Experiment, random_for
from resilience.lab.findings import Axis, Chart, ChartKind, Scale, Series, Table
from resilience.lab.sliders import check_bounds, slider
from resilience.lab.stampede import Load, Rule, Rush, rush

# Points per tenfold of the read rate.
RATES_PER_DECADE = 2
RATE_LOWEST = 1.0
# How much of the time around the first expiry the picture shows, in rebuild times before and after.
SHOWN_BEFORE, SHOWN_AFTER = 10.0, 3.0
# A logarithmic axis has no zero: none is drawn here, just above where it begins.
NONE_SHOWN_AS = 0.05


@dataclass(frozen=True)
class CacheSettings:
    """One hot key and those who read it."""

    reads_per_s: float = slider(
        1000.0, lowest=1.0, highest=5000.0, unit="reads/s", meaning="how often the key is read"
    )
    ttl_s: float = slider(60.0, lowest=5.0, highest=600.0, unit="s", meaning="how long an entry is fresh")
    rebuild_s: float = slider(0.4, lowest=0.01, highest=1.0, unit="s", meaning="mean time of a rebuild")
    grace_s: float = slider(
        30.0, lowest=0.0, highest=600.0, unit="s", meaning="how long our read-through serves what is past it"
    )
    ttls: int = slider(50, lowest=2, highest=100, meaning="lifetimes to watch")

    def __post_init__(self) -> None:
        check_bounds(self)


def rules(settings: CacheSettings) -> dict[str, Rule]:
    """Return our read-through last, and before it what is left when something is taken away."""
    return {
        "nothing": Rule(beta=0.0, is_single_flight=False, grace_s=0.0),
        "lock only": Rule(beta=0.0, is_single_flight=True, grace_s=0.0),
        "XFetch": Rule(beta=1.0, is_single_flight=False, grace_s=0.0),
        "XFetch, single flight": Rule(beta=1.0, is_single_flight=True, grace_s=0.0),
        "ours": Rule(beta=1.0, is_single_flight=True, grace_s=settings.grace_s),
    }


def rushes(settings: CacheSettings, *, reads_per_s: float, seed: int) -> dict[str, Rush]:
    """Return what the key costs under each rule at this rate."""
    load = Load(reads_per_s, settings.ttl_s, settings.rebuild_s, settings.ttls)
    return {
        label: rush(load=load, rule=rule, random=random_for(seed, label, f"{reads_per_s:.6f}"))
        for label, rule in rules(settings).items()
    }


def _rates(highest: float) -> tuple[float, ...]:
    """Return rates from one a second to `highest`, evenly on a logarithmic axis."""
    steps = max(1, round(RATES_PER_DECADE * math.log10(highest / RATE_LOWEST)))
    return tuple(RATE_LOWEST * (highest / RATE_LOWEST) ** (step / steps) for step in range(steps + 1))


def _observe(settings: CacheSettings, *, seed: int) -> tuple[tuple[Table, ...], tuple[Chart, ...]]:
    by_rate = {rate: rushes(settings, reads_per_s=rate, seed=seed) for rate in _rates(settings.reads_per_s)}
    found = by_rate[max(by_rate)]
    charts = (_rebuilds_chart(by_rate), _waiting_chart(by_rate), _running_chart(settings, found))
    return (_table(settings, found),), charts


def _table(settings: CacheSettings, found: dict[str, Rush]) -> Table:
    return Table(
        f"Per TTL of {settings.ttl_s:g} s, at {settings.reads_per_s:g} reads a second",
        ("rule", "rebuilds", "most at once", "readers that waited", "readers that got stale"),
        tuple(
            (label, one.rebuilds, float(one.at_once_max), one.waited, one.got_stale)
            for label, one in found.items()
        ),
    )


def _rebuilds_chart(by_rate: dict[float, dict[str, Rush]]) -> Chart:
    last = by_rate[max(by_rate)]
    return Chart(
        "cache-rebuilds",
        "One hot key: rebuilds per TTL",
        f"At the highest rate {last['ours'].rebuilds:.2f} with our read-through, "
        f"{last['nothing'].rebuilds:,.0f} with nothing.",
        Axis("reads per second", Scale.LOG),
        Axis("rebuilds per TTL", Scale.LOG, lowest=0.5),
        _curves(by_rate, "rebuilds"),
    )


def _waiting_chart(by_rate: dict[float, dict[str, Rush]]) -> Chart:
    last = by_rate[max(by_rate)]
    return Chart(
        "cache-waiting",
        "One hot key: readers that wait for a rebuild, per TTL",
        f"At the highest rate {last['ours'].waited:.2g} with our read-through, "
        f"{last['lock only'].waited:,.0f} with a lock only.",
        Axis("reads per second", Scale.LOG),
        Axis("readers that waited, per TTL", Scale.LOG, lowest=0.8 * NONE_SHOWN_AS),
        _curves(by_rate, "waited"),
    )


def _running_chart(settings: CacheSettings, found: dict[str, Rush]) -> Chart:
    begin_s = max(0.0, settings.ttl_s - SHOWN_BEFORE * settings.rebuild_s)
    end_s = settings.ttl_s + SHOWN_AFTER * settings.rebuild_s
    return Chart(
        "cache-running",
        f"Rebuilds that run at once around the first expiry, at {settings.ttl_s:g} s",
        f"In any TTL at most {found['ours'].at_once_max} with our read-through, "
        f"{found['XFetch'].at_once_max} with XFetch, {found['nothing'].at_once_max:,} with nothing.",
        Axis("time since the entry was stored, s"),
        Axis("rebuilds that run", Scale.LOG, lowest=0.8),
        tuple(_running(label, one, begin_s, end_s) for label, one in found.items()),
    )


def _running(label: str, one: Rush, begin_s: float, end_s: float) -> Series:
    changes = [(at_s, count) for at_s, count in one.running if begin_s <= at_s <= end_s]
    points = [(begin_s, 0), *changes, (end_s, changes[-1][1] if changes else 0)]
    return Series(
        label,
        tuple(at_s for at_s, _ in points),
        # Zero, which a logarithmic axis lacks, goes below where it begins.
        tuple(max(0.1, float(count)) for _, count in points),
        ChartKind.STEPS,
    )


def _curves(by_rate: dict[float, dict[str, Rush]], what: str) -> tuple[Series, ...]:
    labels = by_rate[max(by_rate)]
    return tuple(
        Series(
            label,
            tuple(by_rate),
            tuple(max(NONE_SHOWN_AS, getattr(found[label], what)) for found in by_rate.values()),
        )
        for label in labels
    )


CACHE = Experiment(
    "cache",
    "Cache stampede",
    "How many rebuild a hot key that runs out, and who waits for it?",
    CacheSettings,
    _observe,
)
