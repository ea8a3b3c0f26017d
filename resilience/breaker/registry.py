"""The breakers of this process, by name.

The danger: a breaker for each key of the outside (an endpoint of a client, say) fills the memory. So there
are only so many, and the one that was used least lately makes room.
"""

import re
import threading
import time
from collections.abc import Callable
from random import Random

from resilience.breaker.circuit import Circuit
from resilience.breaker.forced import Override
from resilience.breaker.policy import BreakerPolicy
from resilience.breaker.states import BreakerState

# Some 3 kB each. With more keys in use at once than this, breakers are forgotten and learn again.
BREAKERS_MAX = 500
# Part of a key in Redis, and of a metric.
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*(:[A-Za-z0-9_.-]+)*")
_NAME_CHARS_MAX = 100


def is_name(text: str) -> bool:
    """Tell whether a breaker can be called so."""
    return len(text) <= _NAME_CHARS_MAX and _NAME.fullmatch(text) is not None


class Registry:
    """Thread-safe. `hurry` is handed to every breaker."""

    def __init__(
        self,
        *,
        hurry: Callable[[], None],
        monotonic: Callable[[], float] = time.monotonic,
        random: Random | None = None,
        breakers_max: int = BREAKERS_MAX,
    ) -> None:
        self._hurry = hurry
        self._monotonic = monotonic
        self._random = random or Random()
        self._breakers_max = breakers_max
        self._lock = threading.Lock()
        self._circuits: dict[str, Circuit] = {}
        self._policies: dict[str, BreakerPolicy] = {}
        self.overrides: dict[str, Override] = {}

    def declare(self, kind: str, policy: BreakerPolicy) -> None:
        """Let every breaker `kind` and `kind:…` go by `policy`; at import."""
        self._policies[kind] = policy

    def get(self, name: str) -> Circuit:
        """Return the breaker of this process for `name` ("redis", "gateway:sandbox-1")."""
        found = self._circuits.get(name)
        return found if found is not None else self._made(name)

    def all(self) -> list[Circuit]:
        """Return all of them."""
        return list(self._circuits.values())

    def take_overrides(self, overrides: dict[str, Override]) -> None:
        """Let people's decisions count, and none but these."""
        with self._lock:
            self.overrides = overrides
            for circuit in self._circuits.values():
                circuit.force(overrides.get(circuit.name))

    def forget(self) -> None:
        """Begin anew in a forked child. What people have decided counts there too."""
        self._lock = threading.Lock()
        for circuit in self._circuits.values():
            circuit.forget()
            circuit.force(self.overrides.get(circuit.name))

    def clear(self) -> None:
        """Forget every breaker; for tests."""
        with self._lock:
            self._circuits = {}
            self.overrides = {}

    def _made(self, name: str) -> Circuit:
        if not is_name(name):
            raise ValueError(f"not a breaker's name: {name!r}")
        with self._lock:
            if name in self._circuits:
                return self._circuits[name]
            if len(self._circuits) >= self._breakers_max:
                self._make_room()
            circuit = Circuit(
                name=name,
                policy=self._policies.get(name.partition(":")[0], BreakerPolicy()),
                monotonic=self._monotonic,
                random=self._random,
                hurry=self._hurry,
            )
            circuit.force(self.overrides.get(name))
            # Replaced whole: others iterate over it without the lock.
            self._circuits = {**self._circuits, name: circuit}
        return circuit

    def _make_room(self) -> None:
        """Forget a tenth at once, the quiet ones first: finding them takes a look at all."""
        by_use = sorted(self._circuits.values(), key=_worth)
        kept = by_use[max(1, len(by_use) // 10) :]
        self._circuits = {circuit.name: circuit for circuit in kept}


def _worth(circuit: Circuit) -> tuple[bool, float]:
    is_at_work = circuit.in_flight > 0 or circuit.footing.governing().state is not BreakerState.CLOSED
    return is_at_work, circuit.used_at
