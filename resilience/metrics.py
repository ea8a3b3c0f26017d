"""What the tools of `resilience/` measure."""

from resilience.events.lag import OLDEST_AGES, registered
from resilience.telemetry import Kind, Metric, Sample, declare, sample

declare(
    Metric(
        "breaker_transitions_total",
        Kind.COUNTER,
        unit="transitions",
        help="Times that a breaker went to a state, for the fleet or for one process.",
        labels=("breaker", "scope", "to"),
        series_max=400,
    ),
    Metric(
        "budget_calls_total",
        Kind.COUNTER,
        unit="calls",
        help="Calls, retries among them, that a dependency's retry budget heard of.",
        labels=("dependency",),
    ),
    Metric(
        "budget_retries_wasted_total",
        Kind.COUNTER,
        unit="calls",
        help="Retries among them that failed again.",
        labels=("dependency",),
    ),
    Metric(
        "cache_reads_total",
        Kind.COUNTER,
        unit="reads",
        help="Readings through the cache, by what could be answered from it (resilience/caching/decide.py).",
        labels=("cache", "outcome"),
        series_max=200,
    ),
    Metric(
        "requests_shed_total",
        Kind.COUNTER,
        unit="requests",
        help="Requests that were turned away before any work was done; in shadow, that would have been.",
        labels=("tier", "cause", "mode"),
    ),
    Metric(
        "http_request_s",
        Kind.HISTOGRAM,
        unit="seconds",
        help="Requests answered, by the route's template and the class of the status.",
        labels=("method", "route", "status"),
        series_max=300,
    ),
    Metric(
        "webhook_attempt_s",
        Kind.HISTOGRAM,
        unit="seconds",
        help="Attempts to deliver a webhook, by what came of them, and how long the receiver took.",
        labels=("outcome",),
    ),
    Metric(
        "webhook_endpoints_disabled_total",
        Kind.COUNTER,
        unit="endpoints",
        help="Webhook endpoints that were turned off by themselves: gone, or failing for days.",
    ),
    Metric(
        "saga_steps_total",
        Kind.COUNTER,
        unit="steps",
        help="Steps of sagas that were taken and committed, by what came of them.",
        labels=("definition", "step", "direction", "outcome"),
        series_max=400,
    ),
    Metric(
        "saga_wait_s",
        Kind.HISTOGRAM,
        unit="seconds",
        help="Waits that were chosen before a step is tried again, by what came of it: attempts and waits.",
        labels=("definition", "step", "outcome"),
        series_max=200,
    ),
    Metric(
        "saga_settle_s",
        Kind.HISTOGRAM,
        unit="seconds",
        help="Sagas that ended, by how, and the time from their start to that.",
        labels=("definition", "outcome"),
    ),
    Metric(
        "saga_parked_total",
        Kind.COUNTER,
        unit="sagas",
        help="Times that a saga was put before an operator.",
        labels=("definition",),
    ),
    Metric(
        "saga_lost_total",
        Kind.COUNTER,
        unit="sagas",
        help="Sagas that another worker had claimed when this one came back to them.",
    ),
    Metric(
        "saga_due",
        Kind.GAUGE,
        unit="sagas",
        help="Sagas that are due and that no worker has; counted up to 10,000.",
    ),
    Metric(
        "saga_oldest_due_s",
        Kind.GAUGE,
        unit="seconds",
        help="How long the oldest of them has been due.",
    ),
    Metric(
        "saga_parked",
        Kind.GAUGE,
        unit="sagas",
        help="Sagas that wait for an operator.",
    ),
    Metric(
        "subscription_lag_s",
        Kind.GAUGE,
        unit="seconds",
        help="How long the oldest event that a subscription has not handled has been in the log.",
        labels=("subscription",),
    ),
    Metric(
        "dead_letters",
        Kind.GAUGE,
        unit="events",
        help="Events that a subscription gave up and nobody has dealt with.",
    ),
    Metric(
        "replica_lag_s",
        Kind.GAUGE,
        unit="seconds",
        help="How far the replica is behind what it knows that the primary wrote; 0 when it has it all.",
    ),
    Metric(
        "telemetry_slots_merged_total",
        Kind.COUNTER,
        unit="slots",
        help="Times that a process, cut off from the database, put two slots of ten seconds together.",
    ),
)

sample(
    Sample(
        "saga_due",
        """SELECT count(*) FROM (
               SELECT FROM resilience_saga
               WHERE due_at <= clock_timestamp() AND (lease_until IS NULL OR lease_until < clock_timestamp())
               LIMIT 10000) AS due""",
    ),
    Sample(
        "saga_oldest_due_s",
        """SELECT coalesce(extract(epoch FROM clock_timestamp() - (
               SELECT due_at FROM resilience_saga
               WHERE due_at <= clock_timestamp() AND (lease_until IS NULL OR lease_until < clock_timestamp())
               ORDER BY due_at LIMIT 1)), 0)::float8""",
    ),
    Sample("saga_parked", "SELECT count(*) FROM resilience_saga WHERE status = 'parked'"),
    Sample("subscription_lag_s", OLDEST_AGES, label="subscription", parameters=lambda: (registered(),)),
    Sample("dead_letters", "SELECT count(*) FROM resilience_dead_letter WHERE redelivered_at IS NULL"),
    Sample(
        "replica_lag_s",
        """SELECT CASE
               WHEN NOT pg_is_in_recovery() THEN 0
               WHEN pg_last_wal_receive_lsn() <= pg_last_wal_replay_lsn() THEN 0
               ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())
           END::float8""",
        alias="replica",
    ),
)
