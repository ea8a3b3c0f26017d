"""Where each part finds the others, as the environment that its settings read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from config.stack import postgres, redis_server, roles, sandbox
from config.stack.kept import Kept
from config.stack.network import Network
from config.stack.sandbox import Sandbox
from config.stack.servers import PRIMARY, REDIS, REPLICA, ServerPorts


@dataclass(frozen=True)
class Environments:
    """Composes the environment of any part. Servers are named by their birth; who leads may change.

    Every address names both PostgreSQL servers, so that each process follows a failover by itself.
    """

    known: Kept
    ports: ServerPorts
    sandboxes: Sequence[Sandbox]

    def of(self, who: str, *, network: Network) -> dict[str, str]:
        """Return the `HOLDFAST_*` variables of `who`, who reaches the others through `network`."""
        secrets = self.known.server_secrets
        primary = network.port(who=who, whom=PRIMARY, port=self.ports.primary)
        replica = network.port(who=who, whom=REPLICA, port=self.ports.replica)
        redis = network.port(who=who, whom=REDIS, port=self.ports.redis)
        gateways = [
            replace(one, port=network.port(who=who, whom=one.name, port=one.port)) for one in self.sandboxes
        ]
        password = secrets.application
        replica_first = postgres.application_url(password=password, ports=(replica, primary))
        return {
            "HOLDFAST_DATABASE_URL": postgres.application_url(password=password, ports=(primary, replica)),
            "HOLDFAST_REPLICA_URL": replica_first,
            "HOLDFAST_DASHBOARD_URL": roles.as_role(replica_first, roles.DASHBOARD),
            "HOLDFAST_REPORTS_URL": roles.as_role(replica_first, roles.REPORTS),
            "HOLDFAST_REDIS_URL": redis_server.address(password=secrets.redis, port=redis),
            "HOLDFAST_SECRET_KEY": self.known.secret_key,
            "HOLDFAST_GATEWAYS": sandbox.gateways_setting(gateways),
        }
