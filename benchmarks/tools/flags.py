"""Flags: what a reading costs beside plain waffle, and how quickly and how wrongly a guard convicts."""

import statistics
import timeit
from random import Random
from uuid import UUID

from benchmarks.tools.row import Row
from resilience.flags.guard import Block, Evidence, Guard

_LOOK_EVERY_S = 5
_EXPOSED = 0.2
_READING_MAX_US = 5.0
_CONVICTED_WITHIN_S = 60


def measure(*, short: bool) -> list[Row]:
    """Return the rows."""
    runs = 100 if short else 1000
    return [*_readings(short=short), *_convictions(runs=runs // 5), _false_offs(runs=runs)]


def _readings(*, short: bool) -> list[Row]:
    # Django was set up by whoever calls `measure`.
    from django.core.cache import cache
    from django.test import RequestFactory
    from waffle import flag_is_active, switch_is_active

    from resilience.flags import Flag, Switch, pinned
    from resilience.flags.snapshot import FlagRow, Snapshot

    cache.clear()
    switch = Switch("bench-switch", "benchmarks", "timed", safe=True, default=True)
    flag = Flag("bench-flag", "benchmarks", "timed", safe=True, default=True)
    unit, request = UUID(int=7), RequestFactory().get("/")
    snapshot = Snapshot("v", {"bench-flag": FlagRow(per_mille=200)}, {"bench-switch": True})
    with pinned(snapshot):
        ours_switch = _median_us(switch.is_on, short=short)
        ours_flag = _median_us(lambda: flag.is_on(unit=unit), short=short)
    waffle_switch = _median_us(lambda: switch_is_active("bench-switch"), short=short, number=200)
    waffle_flag = _median_us(lambda: flag_is_active(request, "bench-flag"), short=short, number=200)
    return [
        _reading("reading a switch", ours_switch, waffle_switch),
        _reading("reading a flag with a share", ours_flag, waffle_flag),
    ]


def _reading(claim: str, ours_us: float, waffle_us: float) -> Row:
    return Row(
        claim=f"{claim}, median",
        ours=f"{ours_us:.2f} µs, 0 network calls",
        target=f"≤ {_READING_MAX_US:g} µs, 0",
        peers=f"plain waffle {waffle_us:.0f} µs ({waffle_us / ours_us:.0f}×), 1 call to Redis",
        holds=ours_us <= _READING_MAX_US,
    )


def _convictions(*, runs: int) -> list[Row]:
    rows = []
    for units_per_s, has_target in ((25, False), (50, False), (100, True), (200, False)):
        took = sorted(
            _seconds_to_convict(Random(seed), units_per_s=units_per_s, bad_on=0.06) for seed in range(runs)
        )
        at_95 = took[int(runs * 0.95)]
        rows.append(
            Row(
                claim=f"guard: errors 1 % → 6 %, 20 % exposed, {units_per_s} units/s: off after",
                ours=f"median {statistics.median(took):.0f} s, p95 {at_95:.0f} s",
                target=f"≤ {_CONVICTED_WITHIN_S} s" if has_target else "",
                holds=at_95 <= _CONVICTED_WITHIN_S if has_target else None,
            )
        )
    return rows


def _false_offs(*, runs: int) -> Row:
    convicted = sum(
        _seconds_to_convict(Random(10_000 + seed), units_per_s=50, bad_on=0.01, limit_s=600) < float("inf")
        for seed in range(runs)
    )
    return Row(
        claim=f"guard: {runs} A/A runs of 10 minutes at 50 units/s, looked at every 5 s: turned off",
        ours=str(convicted),
        target=f"0 (level {Guard().level:g})",
        holds=convicted == 0,
    )


def _seconds_to_convict(
    random: Random, *, units_per_s: int, bad_on: float, bad_off: float = 0.01, limit_s: int = 3600
) -> float:
    guard, evidence = Guard(), Evidence()
    units = units_per_s * _LOOK_EVERY_S
    for look in range(1, limit_s // _LOOK_EVERY_S + 1):
        on = _count(random, units, _EXPOSED)
        block = Block(on, _count(random, on, bad_on), units - on, _count(random, units - on, bad_off))
        evidence = evidence.after(block, guard=guard)
        if evidence.convicts(guard):
            return look * _LOOK_EVERY_S
    return float("inf")


def _count(random: Random, units: int, chance: float) -> int:
    return sum(random.random() < chance for _ in range(units))


def _median_us(call: object, *, short: bool, number: int = 10_000) -> float:
    repeats = 5 if short else 21
    return statistics.median(timeit.repeat(call, number=number, repeat=repeats)) / number * 1e6  # type: ignore[arg-type]
