"""The scenarios, in the order in which all of them are held."""

from config.gameday.scenario import Scenario
from config.gameday.scenarios.databases import (
    DATABASE_PAUSE,
    PRIMARY_FAILOVER,
    REPLICA_LAG,
    REPLICA_LOSS,
)
from config.gameday.scenarios.gateways import (
    GATEWAY_OUTAGE,
    LOST_ANSWERS,
    ONE_BAD_WORKER,
    SLOW_GATEWAY,
    WEBHOOK_STORM,
)
from config.gameday.scenarios.processes import OVERLOAD, WORKER_MASSACRE
from config.gameday.scenarios.redis import REDIS_BLACK_HOLE, REDIS_DOWN, REDIS_WIPED

SCENARIOS: tuple[Scenario, ...] = (
    GATEWAY_OUTAGE,
    SLOW_GATEWAY,
    LOST_ANSWERS,
    ONE_BAD_WORKER,
    WORKER_MASSACRE,
    REDIS_DOWN,
    REDIS_WIPED,
    REDIS_BLACK_HOLE,
    REPLICA_LAG,
    REPLICA_LOSS,
    DATABASE_PAUSE,
    OVERLOAD,
    WEBHOOK_STORM,
    # Last: it leaves the servers in other roles.
    PRIMARY_FAILOVER,
)
