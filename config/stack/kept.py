"""What the stack of a folder keeps from one run to the next: its secrets and its ports."""

import json
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random

from config.stack.ports import pick_port
from config.stack.servers import PRIMARY, ServerPorts, ServerSecrets
from config.stack.state import HOLDFAST_DIRECTORY, write_private_json

_KEPT_FILE = HOLDFAST_DIRECTORY / "kept.json"
# Where a person expects a Django project to answer; the first stack of a machine gets it.
_WEB_PORT_PREFERRED = 8000


@dataclass
class Kept:
    """Passwords are part of the data directories, so they live as long as these."""

    secret_key: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    server_secrets: ServerSecrets = field(default_factory=ServerSecrets)
    sandbox_keys: dict[str, str] = field(default_factory=dict)
    webhook_secrets: dict[str, str] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    # Which of the two PostgreSQL servers leads: after a failover, the one that was born as the replica.
    leader: str = PRIMARY

    def server_ports(self, *, random: Random) -> ServerPorts:
        return ServerPorts(
            primary=self._port("postgres-primary", random=random),
            replica=self._port("postgres-replica", random=random),
            redis=self._port("redis", random=random),
        )

    def web_port(self, *, random: Random) -> int:
        return self._port("web", random=random, otherwise=_WEB_PORT_PREFERRED)

    def sandbox_port(self, name: str, *, random: Random) -> int:
        return self._port(name, random=random)

    def sandbox_key(self, name: str) -> str:
        return self.sandbox_keys.setdefault(name, f"sk_test_{secrets.token_hex(16)}")

    def webhook_secret(self, name: str) -> str:
        return self.webhook_secrets.setdefault(name, f"whsec_{secrets.token_hex(24)}")

    def proxy_port(self, name: str, *, random: Random) -> int:
        return self._port(f"proxy {name}", random=random)

    def _port(self, name: str, *, random: Random, otherwise: int | None = None) -> int:
        preferred = self.ports.pop(name, otherwise)
        taken = set(self.ports.values())
        # A port that another part is about to take is still free to look at.
        if preferred in taken:
            preferred = None
        while (port := pick_port(preferred=preferred, random=random)) in taken:
            pass
        self.ports[name] = port
        return port


def read_kept(folder: Path) -> Kept:
    """Return what the last run kept, or something new for a new folder."""
    try:
        content = json.loads((folder / _KEPT_FILE).read_text())
    except FileNotFoundError:
        return Kept()
    return Kept(**{**content, "server_secrets": ServerSecrets(**content["server_secrets"])})


def write_kept(folder: Path, kept: Kept) -> None:
    write_private_json(folder / _KEPT_FILE, asdict(kept))
