"""Gateways that are down, slow, or silent, and one worker who alone cannot reach them."""

from config.gameday import expect, faults
from config.gameday.scenario import Scenario, Times

GATEWAY_OUTAGE = Scenario(
    name="gateway-outage",
    title="Every gateway refuses every connection.",
    rate=30.0,
    times=Times(steady_s=20, fault_s=60, after_s=0),
    short=Times(steady_s=6, fault_s=10, after_s=0),
    fault=faults.routes("*-to-sandbox-*", mode="refuse"),
    needs_proxies=True,
    measures_capacity=True,
    expects=(
        expect.all_accepted(),
        expect.all_confirmed(),
        expect.amplification_at_most(1.10),
        expect.drained_within(1.5),
        expect.nothing_restarts(),
    ),
)

SLOW_GATEWAY = Scenario(
    name="slow-gateway",
    title="Every gateway answers three seconds late.",
    fault=faults.routes("*-to-sandbox-*", latency_ms=1500),
    needs_proxies=True,
    expects=(
        expect.all_accepted(),
        expect.p99_rises_at_most("POST", by_ms=50),
        expect.p99_rises_at_most("GET", by_ms=50),
        expect.all_confirmed(),
        expect.amplification_at_most(1.10),
        expect.nothing_restarts(),
    ),
)

LOST_ANSWERS = Scenario(
    name="lost-answers",
    title="Gateways do what they are asked, and no answer arrives.",
    fault=faults.routes("*-to-sandbox-*", mode="black_hole", stalls="to_client"),
    needs_proxies=True,
    settle_s=240.0,
    expects=(
        expect.all_accepted(),
        expect.all_confirmed(),
        expect.drained_within_s(60),
        expect.nothing_restarts(),
    ),
)

ONE_BAD_WORKER = Scenario(
    name="one-bad-worker",
    title="One worker of two cannot reach any gateway; the other can.",
    fault=faults.routes("worker-1-to-sandbox-*", mode="refuse"),
    needs_proxies=True,
    expects=(
        expect.all_accepted(),
        expect.all_confirmed(),
        expect.confirmed_pace_at_least(0.8),
        expect.drained_within_s(10),
        expect.nothing_restarts(),
    ),
)

WEBHOOK_STORM = Scenario(
    name="webhook-storm",
    title="Each gateway tells of a hundred old events a second again, in any order.",
    fault=faults.together(
        faults.webhooks_again(per_s=100),
        faults.sandbox(
            {"fault": "webhook_twice", "probability": 0.5}, {"fault": "webhook_shuffle", "probability": 1.0}
        ),
    ),
    expects=(
        expect.all_accepted(),
        expect.p99_at_most("POST", ms=300),
        expect.all_confirmed(),
        expect.drained_within_s(10),
        expect.nothing_restarts(),
    ),
)
