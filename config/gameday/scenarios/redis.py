"""Redis is a doorbell: down, emptied or silent, it costs time and no order."""

from config.gameday import expect, faults
from config.gameday.scenario import Expectation, Scenario

_UNTOUCHED: tuple[Expectation, ...] = (
    expect.all_accepted(),
    expect.no_errors("GET"),
    expect.p99_rises_at_most("POST", by_ms=50),
    expect.p99_rises_at_most("GET", by_ms=50),
    expect.all_confirmed(),
    expect.nothing_restarts(),
)

REDIS_DOWN = Scenario(
    name="redis-down",
    title="Redis is killed with -9 and stays away.",
    fault=faults.held_down("redis"),
    expects=(
        *_UNTOUCHED,
        expect.drained_within_s(60),
        expect.says_so_within(5, part="redis:connection"),
    ),
)

REDIS_WIPED = Scenario(
    name="redis-wiped",
    title="Redis forgets everything, every three seconds.",
    fault=faults.redis_emptied(every_s=3),
    # What was rung for is rung for again after 5 s.
    expects=(*_UNTOUCHED, expect.drained_within_s(15)),
)

REDIS_BLACK_HOLE = Scenario(
    name="redis-black-hole",
    title="Redis takes connections and never answers.",
    fault=faults.routes("*-to-redis", mode="black_hole"),
    needs_proxies=True,
    expects=(
        *_UNTOUCHED,
        expect.drained_within_s(60),
        expect.says_so_within(5, part="redis:connection"),
    ),
)
