"""The tiles of the home page: one figure each, its trend, and how it was before. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from config.dashboard.home.charts import FRACTIONS, Grid, Values, per_minute
from payments.money import currency_exponent
from resilience.telemetry.buckets import percentile_s
from resilience.telemetry.reading import Asked, SeriesPoints

ACCEPTED = Asked("orders_accepted_total")
SETTLED = Asked("saga_settle_s", {"definition": "place_order"}, ("outcome",))
IN_DOUBT = Asked("payments_in_doubt")
PARKED = Asked("saga_parked")
ASKED = (ACCEPTED, SETTLED, IN_DOUBT, PARKED)
NOTHING = "–"
_FRESH_STEPS = 3


@dataclass(frozen=True)
class Tile:
    """`value` is what is read from afar; `detail` stands below; `before` is the stretch before this one."""

    name: str
    label: str
    value: str
    detail: str = ""
    before: str = ""
    trend: Sequence[float | None] = ()
    is_alarming: bool = False


@dataclass(frozen=True)
class Settled:
    """How many orders ended confirmed and cancelled, and the percentiles of the time until then."""

    confirmed: int
    cancelled: int
    percentiles_s: Mapping[str, float]

    @property
    def share(self) -> str:
        """Return the confirmed ones in per cent."""
        ended = self.confirmed + self.cancelled
        return f"{100 * self.confirmed / ended:.1f} %" if ended else NOTHING


def tiles_of(
    now: Sequence[list[SeriesPoints]],
    before: Sequence[list[SeriesPoints]],
    *,
    grid: Grid,
    captured: Mapping[str, int],
) -> list[Tile]:
    """Return the tiles, from what `ASKED` gave for this stretch and for the one before."""
    span = grid.count * grid.step
    settled, settled_before = _settled(now[1]), _settled(before[1])
    p50, p95, p99 = (seconds(settled.percentiles_s.get(name)) for name in FRACTIONS)
    return [
        Tile(
            "accepted",
            "Orders a minute",
            _rate(now[0], span),
            f"{_total(now[0]):,.0f} accepted",
            _rate(before[0], span),
            _trend(now[0], grid),
        ),
        Tile(
            "confirmed",
            "Confirmed",
            settled.share,
            f"{settled.confirmed:,} confirmed, {settled.cancelled:,} cancelled",
            settled_before.share,
        ),
        Tile(
            "settle",
            "Time to settle, p95",
            p95,
            f"p50 {p50}, p99 {p99}",
            seconds(settled_before.percentiles_s.get("p95")),
        ),
        Tile("captured", "Captured today (UTC)", *_captured(captured)),
        _gauge("doubt", "In doubt", "operations sent and not answered", now[2], before[2], grid),
        _gauge("parked", "Parked", "sagas that wait for a person", now[3], before[3], grid),
    ]


def seconds(value_s: float | None) -> str:
    """Return a time as it is read: 340 ms, 2.1 s, 3 min."""
    if value_s is None:
        return NOTHING
    if value_s < 1:
        return f"{1000 * value_s:.0f} ms"
    return f"{value_s:.1f} s" if value_s < 120 else f"{value_s / 60:.0f} min"


def amount(minor: int, currency: str) -> str:
    """Return money as it is read, with its currency."""
    exponent = currency_exponent(currency)
    return f"{minor / 10**exponent:,.{exponent}f} {currency}"


def _settled(lines: Sequence[SeriesPoints]) -> Settled:
    counts = {one.labels["outcome"]: int(sum(point.value for point in one.points)) for one in lines}
    buckets = [point.buckets for one in lines for point in one.points if point.buckets]
    summed = [sum(column) for column in zip(*buckets, strict=True)]
    known = {name: percentile_s(summed, fraction) for name, fraction in FRACTIONS.items()} if summed else {}
    return Settled(
        confirmed=counts.get("completed", 0),
        cancelled=counts.get("compensated", 0),
        percentiles_s={name: value for name, value in known.items() if value is not None},
    )


def _captured(captured: Mapping[str, int]) -> tuple[str, str]:
    """Return the currency with the most first, and the others below it."""
    if not captured:
        return NOTHING, "nothing yet"
    told = [amount(minor, currency) for currency, minor in sorted(captured.items(), key=lambda one: -one[1])]
    return told[0], ", ".join(told[1:])


def _gauge(
    name: str,
    label: str,
    detail: str,
    now: Sequence[SeriesPoints],
    before: Sequence[SeriesPoints],
    grid: Grid,
) -> Tile:
    # What nobody has measured lately is not known.
    newest = now[0].points[-1] if now else None
    is_fresh = newest is not None and newest.at >= grid.start + (grid.count - _FRESH_STEPS) * grid.step
    last = newest.value if newest is not None and is_fresh else None
    was = before[0].points[-1].value if before else None
    trend: Values = (
        grid.place({point.at: point.value for point in now[0].points}, missing=None) if now else []
    )
    return Tile(name, label, _count(last), detail, _count(was), trend, is_alarming=bool(last))


def _count(value: float | None) -> str:
    return NOTHING if value is None else f"{value:,.0f}"


def _total(lines: Sequence[SeriesPoints]) -> float:
    return sum(point.value for one in lines for point in one.points)


def _rate(lines: Sequence[SeriesPoints], span: timedelta) -> str:
    return f"{_total(lines) / (span / timedelta(minutes=1)):,.1f}" if span else NOTHING


def _trend(lines: Sequence[SeriesPoints], grid: Grid) -> Values:
    drawn = per_minute()([list(lines)], grid)
    return drawn[0].values if drawn else []
