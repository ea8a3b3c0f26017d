"""What a running stack can be told: stop and start parts, fail over, rebuild."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from config.stack.cluster import Cluster
from config.stack.errors import StackError
from config.stack.supervisor import Supervisor


class Verb(StrEnum):
    """The commands. `stop`, `kill` and `start` take a `part`: a name such as worker, or a label: worker-1."""

    STATUS = "status"
    STOP = "stop"
    KILL = "kill"
    START = "start"
    FAIL_OVER = "failover"
    REBUILD = "rebuild"


@dataclass(frozen=True)
class Commands:
    """Carries commands out, one after another, in the supervisor's thread."""

    supervisor: Supervisor
    cluster: Cluster

    def handle(self, command: Mapping[str, Any]) -> Mapping[str, object]:
        """Do what `command` says (`do`, perhaps `part`); raises StackError when it cannot be done."""
        try:
            verb = Verb(command.get("do", ""))
        except ValueError:
            raise StackError(f"Commands are {', '.join(Verb)}.") from None
        match verb:
            case Verb.FAIL_OVER:
                return self.cluster.fail_over()
            case Verb.REBUILD:
                return self.cluster.rebuild()
            case Verb.STOP | Verb.KILL:
                self.supervisor.halt(_part(command), at_once=verb is Verb.KILL)
            case Verb.START:
                self.supervisor.resume(_part(command))
            case Verb.STATUS:
                pass
        return self.status()

    def status(self) -> Mapping[str, object]:
        """Return who leads, and what runs and is wanted."""
        return {
            "leader": self.cluster.leader.name,
            "follower": self.cluster.follower.name,
            "standings": {label: standing.value for label, standing in self.supervisor.standings().items()},
            "processes": self.supervisor.pids(),
            "restarts": dict(self.supervisor.restarts),
        }


def _part(command: Mapping[str, Any]) -> str:
    part = command.get("part")
    if not isinstance(part, str):
        raise StackError("Which part? Give `part`, such as redis or worker-1.")
    return part
