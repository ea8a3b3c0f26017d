"""How parts of the stack reach each other: directly, or through a route of the proxy for each pair."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from config.stack.part import Part
from config.stack.ports import LOOPBACK
from config.stack.probes import http_answers

PROXY = "proxy"


class Network(Protocol):
    """Knows the port at which one part finds another."""

    def port(self, *, who: str, whom: str, port: int) -> int:
        """Return where `who` reaches `whom`, who listens at `port`."""


class Direct:
    """Everybody reaches everybody."""

    def port(self, *, who: str, whom: str, port: int) -> int:
        """Return `port` itself."""
        return port


@dataclass
class Proxied:
    """Gives each pair that asks a route of its own, named `<who>-to-<whom>`.

    Ask for all pairs before `part` runs: a running proxy learns of no new one.
    """

    control_port: int
    pick: Callable[[str], int]
    _routes: dict[str, tuple[int, int]] = field(default_factory=dict)

    def port(self, *, who: str, whom: str, port: int) -> int:
        """Return the port of the route, made at the first question."""
        name = f"{who}-to-{whom}"
        if name not in self._routes:
            self._routes[name] = (self.pick(name), port)
        return self._routes[name][0]

    @property
    def control_url(self) -> str:
        """Where the proxy is controlled."""
        return f"http://{LOOPBACK}:{self.control_port}"

    @property
    def names(self) -> tuple[str, ...]:
        """The routes that were asked for."""
        return tuple(self._routes)

    def part(self, *, folder: Path) -> Part:
        """Return the part that runs the proxy with the code in `folder`."""
        command = [sys.executable, "-m", "config.stack.proxy", "--control", str(self.control_port)]
        command += [
            argument
            for name, (listens, leads_to) in self._routes.items()
            for argument in ("--route", f"{name}={listens}:{leads_to}")
        ]
        return Part(
            name=PROXY,
            command=tuple(command),
            directory=folder,
            environment={"PYTHONUNBUFFERED": "1"},
            is_ready=http_answers(self.control_port, "/routes"),
        )
