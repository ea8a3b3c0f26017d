"""PostgreSQL: a replica that lags or is lost, a primary that hangs, a primary that is lost for good."""

from config.gameday import expect, faults
from config.gameday.scenario import Scenario, Times

REPLICA_LAG = Scenario(
    name="replica-lag",
    title="The replica receives and replays nothing.",
    fault=faults.replay_paused,
    times=Times(steady_s=20, fault_s=60, after_s=20),
    expects=(
        expect.all_accepted(),
        expect.reads_own_writes(),
        expect.no_errors("GET"),
        expect.all_confirmed(),
        expect.nothing_restarts(),
    ),
)

REPLICA_LOSS = Scenario(
    name="replica-loss",
    title="The replica is killed with -9 and stays away.",
    fault=faults.follower_held_down(),
    expects=(
        expect.all_accepted(),
        expect.reads_own_writes(),
        expect.no_errors("GET"),
        expect.p99_rises_at_most("GET", by_ms=50),
        expect.says_so_within(5, part="replica:lag_s"),
        expect.all_confirmed(),
        expect.nothing_restarts(),
    ),
)

DATABASE_PAUSE = Scenario(
    name="database-pause",
    title="The primary hangs: it takes connections and never answers.",
    fault=faults.leader_frozen,
    times=Times(steady_s=20, fault_s=60, after_s=20),
    expects=(
        expect.p99_at_most("livez", ms=10),
        expect.no_errors("livez"),
        expect.always_answered("readyz"),
        expect.p99_at_most("readyz", ms=100),
        expect.says_so_within(5, part="primary:connection"),
        expect.all_confirmed(),
        expect.drained_within_s(60),
        expect.nothing_restarts(),
    ),
)

PRIMARY_FAILOVER = Scenario(
    name="primary-failover",
    title="The primary is lost with what its stream had not delivered; the replica is promoted.",
    fault=faults.failover(stream_latency_ms=50),
    needs_proxies=True,
    times=Times(steady_s=20, fault_s=30, after_s=20),
    short=Times(steady_s=6, fault_s=10, after_s=6),
    synchronous=True,
    expects=(
        expect.writes_again_within(10),
        expect.none_missing(),
        expect.reads_own_writes(),
        expect.all_confirmed(),
        expect.nothing_restarts(),
    ),
)
