"""Faults on request: which of them meets which request. How each is carried out: `transport`, `desk`."""

import math
import random
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, TypeVar

from .errors import invalid
from .methods import FAULT_PREFIX
from .settings import Settings
from .vocabulary import READS, TOKEN_FAULTS, WEBHOOK_FAULTS, FaultKind, Operation

# Faults that may be set at a time; each costs every request a draw.
FAULTS_MAX = 50
DELAY_MS_MAX = 600_000
DOWN_S_DEFAULT = 10.0
# Idempotency keys remembered to have met the fault of their token. Forgetting one makes it meet it again.
TOKENS_REMEMBERED_MAX = 100_000


# How long each kind takes when the request that set it did not say.
_DELAY_MS = {
    FaultKind.LOSE_REQUEST: 60_000,
    FaultKind.LOSE_ANSWER: 60_000,
    FaultKind.SLOW: 5_000,
    FaultKind.THROTTLE: 1_000,
    FaultKind.STALE_READS: 3_000,
    FaultKind.WEBHOOK_LATE: 5_000,
    FaultKind.WEBHOOK_SHUFFLE: 2_000,
    FaultKind.CLOCK_SKEW: 600_000,
}
_FIELDS = frozenset({"fault", "operation", "probability", "delay_ms", "for_s", "times", "stored"})

_Kind = TypeVar("_Kind", FaultKind, Operation)


@dataclass
class Fault:
    """One fault that is set. `times` counts down; `ends_at` is on the monotonic clock.

    `stored` tells whether the 500 of an `error_…` fault is kept under the idempotency key.
    `token` is the test card that brought the fault along, if one did.
    """

    id: int
    kind: FaultKind
    chance: random.Random
    operation: Operation | None = None
    probability: float = 1.0
    delay_ms: int = 0
    for_s: float | None = None
    times: int | None = None
    stored: bool = True
    token: str | None = None
    ends_at: float = math.inf
    struck: int = 0

    def shape(self) -> dict[str, Any]:
        """Return it as `GET /_faults` shows it."""
        names = ("id", "operation", "probability", "delay_ms", "for_s", "times", "stored", "struck")
        return {"fault": self.kind, **{name: getattr(self, name) for name in names}}

    def strikes(self) -> bool:
        """Draw. Every matching request draws once, so equal seeds and requests give equal faults."""
        hit = self.chance.random() < self.probability and self.times != 0
        if hit:
            self.struck += 1
            if self.times is not None:
                self.times -= 1
        return hit


class Faults:
    """The faults that are set now. They are gone when the process ends."""

    def __init__(self, *, seed: int, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._seed = seed
        self._settings = settings
        self._clock = clock
        self._set: list[Fault] = []
        self._count = 0
        self._tokens_met: OrderedDict[str, None] = OrderedDict()
        self._stale_card_seen = False
        self.chance = self._stream("choices")

    def add(self, body: Any) -> Fault:
        """Set the fault that `body` (the JSON of `POST /_faults`) describes. Raises ApiError."""
        if not isinstance(body, dict):
            raise invalid("The body must be a JSON object.")
        for name in body:
            if name not in _FIELDS:
                raise invalid(f"Received unknown parameter: {name}", param=name, code="parameter_unknown")
        if len(self.active()) >= FAULTS_MAX:
            raise invalid(f"At most {FAULTS_MAX} faults can be set; DELETE /_faults clears them.")
        self._count += 1
        fault = self._parse(body)
        self._set.append(fault)
        return fault

    def active(self) -> list[Fault]:
        """Return the faults that can still strike."""
        if self._set:
            now = self._clock()
            self._set = [fault for fault in self._set if fault.ends_at > now and fault.times != 0]
        return self._set

    def clear(self) -> int:
        """Unset all; return how many there were."""
        count = len(self.active())
        self._set = []
        return count

    def strike(self, operation: Operation, *, token: str | None, key: str | None) -> Fault | None:
        """Return the fault that meets this request, if one does: the one set first wins."""
        hits = [fault for fault in self.active() if self._matches(fault, operation) and fault.strikes()]
        if hits:
            return next((hit for hit in hits if hit.kind == FaultKind.DOWN), hits[0])
        if operation in READS and self._stale_card_seen:
            return self._brought_by(FAULT_PREFIX + FaultKind.STALE_READS)
        return None if token is None else self._of_token(token, key)

    def strike_webhook(self, kinds: Collection[FaultKind], *, token: str | None) -> dict[FaultKind, Fault]:
        """Return those of `kinds` that meet an event about a payment by `token`; there may be several."""
        met = {fault.kind: fault for fault in self.active() if fault.kind in kinds and fault.strikes()}
        brought = self._brought_by(token)
        if brought is not None and brought.kind in kinds:
            met.setdefault(brought.kind, brought)
        return met

    def _matches(self, fault: Fault, operation: Operation) -> bool:
        if fault.kind in WEBHOOK_FAULTS or (fault.kind == FaultKind.STALE_READS and operation not in READS):
            return False
        return fault.operation in (None, operation)

    def _of_token(self, token: str, key: str | None) -> Fault | None:
        """The first request with a key meets the fault; its repetitions find a healthy gateway."""
        brought = self._brought_by(token)
        if brought is None or brought.kind in WEBHOOK_FAULTS:
            return None
        if brought.kind == FaultKind.STALE_READS:
            self._stale_card_seen = True
            return None
        if key is not None and key in self._tokens_met:
            return None
        if key is not None:
            self._tokens_met[key] = None
            if len(self._tokens_met) > TOKENS_REMEMBERED_MAX:
                self._tokens_met.popitem(last=False)
        return brought

    def _brought_by(self, token: str | None) -> Fault | None:
        """Return the fault that the test card `token` brings along, if it does."""
        name = (token or "").removeprefix(FAULT_PREFIX)
        if name == token or name not in TOKEN_FAULTS:
            return None
        kind = FaultKind(name)
        return Fault(id=0, kind=kind, chance=self.chance, delay_ms=_DELAY_MS.get(kind, 0), token=token)

    def _parse(self, body: dict[str, Any]) -> Fault:
        kind = _member(FaultKind, body.get("fault"), param="fault")
        if kind in WEBHOOK_FAULTS and self._settings.webhook_url is None:
            raise invalid("This sandbox delivers no webhooks: it has no webhook_url.")
        operation = _operation(body, kind)
        for_s = _number(body, "for_s", least=0.001, most=86_400)
        if kind == FaultKind.DOWN and for_s is None:
            for_s = DOWN_S_DEFAULT
        probability = _number(body, "probability", least=0, most=1)
        least_ms = -DELAY_MS_MAX if kind == FaultKind.CLOCK_SKEW else 0
        delay_ms = _number(body, "delay_ms", least=least_ms, most=DELAY_MS_MAX)
        times = _number(body, "times", least=1, most=1_000_000)
        return Fault(
            id=self._count,
            kind=kind,
            chance=self._stream(self._count),
            operation=operation,
            probability=1.0 if probability is None else probability,
            delay_ms=_DELAY_MS.get(kind, 0) if delay_ms is None else int(delay_ms),
            for_s=for_s,
            times=None if times is None else int(times),
            stored=_flag(body, "stored", default=True),
            ends_at=math.inf if for_s is None else self._clock() + for_s,
        )

    def _stream(self, name: object) -> random.Random:
        return random.Random(f"{self._seed}:{name}")


def _operation(body: dict[str, Any], kind: FaultKind) -> Operation | None:
    if body.get("operation") is None:
        return None
    operation = _member(Operation, body["operation"], param="operation")
    if kind == FaultKind.STALE_READS and operation not in READS:
        raise invalid("Invalid operation: only retrieve and list can be stale", param="operation")
    return operation


def _member(kinds: type[_Kind], value: Any, *, param: str) -> _Kind:
    try:
        return kinds(value)
    except ValueError:
        known = ", ".join(kinds)
        raise invalid(f"Invalid {param}: must be one of {known}", param=param) from None


def _flag(body: dict[str, Any], name: str, *, default: bool) -> bool:
    value = body.get(name, default)
    if not isinstance(value, bool):
        raise invalid(f"Invalid {name}: must be true or false", param=name)
    return value


def _number(body: dict[str, Any], name: str, *, least: float, most: float) -> float | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise invalid(f"Invalid {name}: must be a number from {least} to {most}", param=name)
    return value
