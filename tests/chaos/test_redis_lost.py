"""Redis is only a doorbell: frozen or emptied, it costs time and no order."""

import time
from random import Random

import redis

from tests.chaos.nemesis import Nemesis, frozen
from tests.chaos.storefront import Storefront
from tests.chaos.verdict import settled_orders, violations
from tests.living_stack import LivingStack
from tests.processes import wait_until

SEED = 20261124
# The promise for a Redis that lost its memory: rung again after 5 s, and done soon after.
CONTINUE_WITHIN_S = 15.0


def test_orders_are_accepted_while_redis_is_frozen_and_end_when_it_wakes(stack: LivingStack) -> None:
    storefront = Storefront(stack, rate=12.0, random=Random(SEED))
    dispatcher = stack.pids("dispatcher")

    with frozen(stack, "redis"):
        storefront.start()
        time.sleep(6)
        storefront.stop()
        accepted = storefront.accepted_ids

    slowest = sorted(storefront.post_s)[int(len(storefront.post_s) * 0.99)]
    print(f"{len(accepted)} orders accepted while Redis was frozen, POST p99 {slowest * 1000:.0f} ms")
    assert storefront.errors == []
    assert len(accepted) > 20
    orders = settled_orders(stack, accepted, within_s=60)
    assert violations(orders, stack.gateway_orders()) == []
    assert stack.pids("dispatcher") == dispatcher


def test_the_dispatcher_outlives_a_redis_that_is_killed_again_and_again(stack: LivingStack) -> None:
    storefront = Storefront(stack, rate=12.0, random=Random(SEED))
    nemesis = Nemesis(stack, kinds=("redis",), every_s=2.0, random=Random(SEED))
    dispatcher = stack.pids("dispatcher")

    storefront.start()
    nemesis.start()
    # The supervisor waits longer before each restart, up to 10 s.
    wait_until(lambda: nemesis.killed["redis"] >= 3, limit_s=90)
    nemesis.stop()
    storefront.stop()

    assert storefront.errors == []
    orders = settled_orders(stack, storefront.accepted_ids, within_s=60)
    assert violations(orders, stack.gateway_orders()) == []
    assert stack.pids("dispatcher") == dispatcher


def test_pending_orders_go_on_soon_after_redis_lost_its_memory(stack: LivingStack) -> None:
    queue = redis.Redis.from_url(stack.told["redis"])
    wait_until(lambda: _answers(queue), limit_s=60)
    storefront = Storefront(stack, rate=20.0, random=Random(SEED))

    with frozen(stack, "worker"):
        storefront.start()
        wait_until(lambda: queue.llen("sagas") > 0 and len(storefront.accepted) > 20, limit_s=30)
        storefront.stop()
        queue.flushall()
    began = time.monotonic()

    orders = settled_orders(stack, storefront.accepted_ids, within_s=CONTINUE_WITHIN_S)

    print(f"{len(orders)} orders ended {time.monotonic() - began:.1f} s after FLUSHALL")
    assert storefront.errors == []
    assert violations(orders, stack.gateway_orders()) == []


def _answers(queue: redis.Redis) -> bool:
    """Tell whether Redis is back from what an earlier test did to it."""
    try:
        return bool(queue.ping())
    except redis.RedisError:
        return False
