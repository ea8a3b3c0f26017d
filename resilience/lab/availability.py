"""`lab availability`: a request that needs every part now, against one that is accepted and settled later."""

from collections.abc import Sequence
from dataclasses import dataclass

from resilience.lab.experiment import Experiment, random_for
from resilience.lab.findings import Axis, Chart, ChartKind, Scale, Series, Table
from resilience.lab.outages import Part, coupled_availability, draw_part, settle, settled_within
from resilience.lab.sliders import check_bounds, slider
from resilience.retry.policy import RetryPolicy

WAIT_INITIAL_S = 0.5
# How long a part is watched, in outages: 2,000 put a part's share of time down within some 3 % of the truth.
OUTAGES = 2000
# Where the picture of settling ends, in repair times per part.
SHOWN_REPAIRS = 10
MOMENTS_SHOWN = 80


@dataclass(frozen=True)
class AvailabilitySettings:
    """What an order needs, how it fails, and how it is waited for."""

    parts: int = slider(5, lowest=1, highest=20, meaning="parts that an order needs beside the database")
    availability: float = slider(0.99, lowest=0.5, highest=0.9999, meaning="share of time that a part is up")
    database: float = slider(0.9995, lowest=0.9, highest=1.0, meaning="share of time that the database is up")
    repair_s: float = slider(120.0, lowest=1.0, highest=3600.0, unit="s", meaning="mean repair of a part")
    within_s: float = slider(600.0, lowest=1.0, highest=86400.0, unit="s", meaning="in time is within this")
    wait_max_s: float = slider(30.0, lowest=1.0, highest=300.0, unit="s", meaning="cap of a saga's wait")
    orders: int = slider(20000, lowest=1000, highest=100000, meaning="orders placed")

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True)
class Served:
    """What became of the same orders under both designs; shares are of all orders that were placed.

    `settled_s` are the times to settle of the accepted orders, sorted.
    """

    parts: int
    coupled: float
    accepted: float
    in_time: float
    settled_s: tuple[float, ...]

    def settled_at_s(self, share: float) -> float:
        """Return the time by which this share of the accepted orders has settled."""
        return self.settled_s[min(len(self.settled_s) - 1, int(share * len(self.settled_s)))]


def serve(settings: AvailabilitySettings, *, seed: int) -> tuple[Served, ...]:
    """Return what became of the orders with one part, with two, up to all of them."""
    until_s = OUTAGES * settings.repair_s / (1.0 - settings.availability)
    drawn = [
        draw_part(
            availability=settings.availability,
            repair_s=settings.repair_s,
            until_s=until_s,
            random=random_for(seed, "part", number),
        )
        for number in range(settings.parts)
    ]
    database = draw_part(
        availability=settings.database,
        repair_s=settings.repair_s,
        until_s=until_s,
        random=random_for(seed, "database"),
    )
    arrivals = random_for(seed, "orders")
    placed_s = [arrivals.uniform(0.0, until_s) for _ in range(settings.orders)]
    return tuple(
        _serve(settings, drawn[:count], database, placed_s, seed) for count in range(1, settings.parts + 1)
    )


def _serve(
    settings: AvailabilitySettings,
    parts: Sequence[Part],
    database: Part,
    placed_s: Sequence[float],
    seed: int,
) -> Served:
    policy = RetryPolicy(WAIT_INITIAL_S, settings.wait_max_s)
    random = random_for(seed, "waits", len(parts))
    accepted_s = [at_s for at_s in placed_s if database.is_up(at_s)]
    settled_s = sorted(
        settle(placed_s=at_s, parts=parts, database=database, policy=policy, random=random)
        for at_s in accepted_s
    )
    at_once = sum(all(part.is_up(at_s) for part in parts) for at_s in accepted_s)
    in_time = sum(took_s <= settings.within_s for took_s in settled_s)
    placed = len(placed_s)
    return Served(len(parts), at_once / placed, len(accepted_s) / placed, in_time / placed, tuple(settled_s))


def _observe(settings: AvailabilitySettings, *, seed: int) -> tuple[tuple[Table, ...], tuple[Chart, ...]]:
    served = serve(settings, seed=seed)
    return (_table(settings, served),), (_share_chart(settings, served), _settle_chart(settings, served[-1]))


def _table(settings: AvailabilitySettings, served: tuple[Served, ...]) -> Table:
    return Table(
        f"Of {settings.orders:,} orders, %",
        (
            "parts",
            "coupled, computed",
            "coupled, seen",
            "accepted, computed",
            "accepted, seen",
            f"settled in {settings.within_s:g} s, computed",
            "seen",
            "p99 to settle, s",
            "last, s",
        ),
        tuple(
            (
                f"{one.parts}",
                100.0 * _coupled(settings, one.parts),
                100.0 * one.coupled,
                100.0 * settings.database,
                100.0 * one.accepted,
                100.0 * settings.database * _settled(settings, one.parts, settings.within_s),
                100.0 * one.in_time,
                one.settled_at_s(0.99),
                one.settled_s[-1],
            )
            for one in served
        ),
    )


def _share_chart(settings: AvailabilitySettings, served: tuple[Served, ...]) -> Chart:
    last = served[-1]
    in_time = f"settled in {settings.within_s:g} s"
    curves = {
        "coupled": [(_coupled(settings, one.parts), one.coupled) for one in served],
        "accepted": [(settings.database, one.accepted) for one in served],
        in_time: [
            (settings.database * _settled(settings, one.parts, settings.within_s), one.in_time)
            for one in served
        ],
    }
    return Chart(
        "availability-shares",
        f"Parts that are each up {100.0 * settings.availability:g} % of the time",
        f"With {last.parts} parts {100.0 * last.coupled:.2f} % succeed at once, "
        f"{100.0 * last.accepted:.2f} % are accepted, {100.0 * last.in_time:.2f} % {in_time}.",
        Axis("parts that an order needs", is_whole=True),
        Axis("orders, %"),
        tuple(
            series
            for label, shares in curves.items()
            for series in _computed_and_seen(label, tuple(float(one.parts) for one in served), shares)
        ),
    )


def _computed_and_seen(
    label: str, counts: tuple[float, ...], shares: list[tuple[float, float]]
) -> tuple[Series, Series]:
    computed = tuple(100.0 * share for share, _ in shares)
    seen = tuple(100.0 * share for _, share in shares)
    return (
        Series(f"{label}, computed", counts, computed, subject=label),
        Series(f"{label}, seen", counts, seen, ChartKind.POINTS, subject=label),
    )


def _settle_chart(settings: AvailabilitySettings, served: Served) -> Chart:
    """Draw who has not settled yet, because all curves of who has look alike near 100 %."""
    end_s = SHOWN_REPAIRS * settings.repair_s
    moments = tuple(end_s * step / MOMENTS_SHOWN for step in range(MOMENTS_SHOWN + 1))
    seen = tuple(100.0 * _later_than(served.settled_s, moment) for moment in moments)
    computed = tuple(100.0 * (1.0 - _settled(settings, served.parts, moment)) for moment in moments)
    lowest = 50.0 / settings.orders
    return Chart(
        "availability-settling",
        "Accepted orders that have not settled yet",
        f"99 % have settled after {served.settled_at_s(0.99):.0f} s, the last after "
        f"{served.settled_s[-1]:.0f} s; a coupled design had refused {100.0 * (1.0 - served.coupled):.1f} %.",
        Axis("time since the order was placed, s", lowest=0.0),
        Axis("orders not settled, %", Scale.LOG, lowest=lowest),
        (
            Series("repairs seen at once, computed", moments, _above(computed, lowest)),
            Series("the engine's retries, simulated", moments, _above(seen, lowest)),
        ),
    )


def _above(shares: tuple[float, ...], lowest: float) -> tuple[float, ...]:
    """Put a zero, which a logarithmic axis lacks, below where it begins."""
    return tuple(max(lowest / 2.0, share) for share in shares)


def _later_than(settled_s: tuple[float, ...], moment_s: float) -> float:
    return sum(took_s > moment_s for took_s in settled_s) / len(settled_s)


def _coupled(settings: AvailabilitySettings, parts: int) -> float:
    return coupled_availability(parts=parts, availability=settings.availability, database=settings.database)


def _settled(settings: AvailabilitySettings, parts: int, limit_s: float) -> float:
    return settled_within(
        limit_s=limit_s, parts=parts, availability=settings.availability, repair_s=settings.repair_s
    )


AVAILABILITY = Experiment(
    "availability",
    "Coupled against decoupled availability",
    "How many orders does a shop lose that needs all its parts at once?",
    AvailabilitySettings,
    _observe,
)
