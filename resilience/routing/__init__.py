"""Read routing: a read goes to the replica only when the replica knows the reader's last write.

The danger: an order is written to the primary, its GET asks a replica that lags, and a customer is
told that the order does not exist. The promise: a client that echoes its `Consistency-Token` never
reads something older than its own last write, and a lost replica costs speed only (docs/reads.md).
"""

from resilience.routing.permits import ReadsOverloadedError
from resilience.routing.scope import (
    ReadScope,
    current_scope,
    database_for_reads,
    knowing,
    primary_only,
    read_on_replica,
    replica_reads,
)
from resilience.routing.states import PrimaryState, ReplicaState
from resilience.routing.tokens import CausalityToken, MalformedTokenError, capture_token, parse_token
from resilience.routing.watcher import primary_state, replica_state, watch
from resilience.routing.workloads import Workload, WorkloadBusyError, workload

__all__ = [
    "CausalityToken",
    "MalformedTokenError",
    "PrimaryState",
    "ReadScope",
    "ReadsOverloadedError",
    "ReplicaState",
    "Workload",
    "WorkloadBusyError",
    "capture_token",
    "current_scope",
    "database_for_reads",
    "knowing",
    "parse_token",
    "primary_only",
    "primary_state",
    "read_on_replica",
    "replica_reads",
    "replica_state",
    "watch",
    "workload",
]
