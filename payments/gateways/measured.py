"""An account whose every question is counted and timed, by what it was and what came of it."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TypeVar

from payments.gateways.base import (
    Absent,
    Answer,
    Gateway,
    InDoubt,
    LookupAnswer,
    NotSent,
    Observation,
    Request,
    StatementLine,
    Throttled,
)
from resilience.telemetry import histogram, trace

T = TypeVar("T")


class MeasuredGateway:
    """`gateway`, measured. An answer's kind is the outcome; a bug that raises is `raised`."""

    def __init__(self, gateway: Gateway) -> None:
        self.name = gateway.name
        self._gateway = gateway

    def __repr__(self) -> str:
        return repr(self._gateway)

    def send(self, request: Request) -> Answer:
        """Carry out `request`."""
        return self._measured(type(request).__name__, lambda: self._gateway.send(request))

    def look_up(self, request: Request, *, thoroughly: bool = False) -> LookupAnswer:
        """Ask what became of `request`."""
        return self._measured("LookUp", lambda: self._gateway.look_up(request, thoroughly=thoroughly))

    def observe(self, reference: str) -> Observation | Absent | NotSent | Throttled | InDoubt:
        """Ask for a payment and what follows from it."""
        return self._measured("Observe", lambda: self._gateway.observe(reference))

    def statement(self, *, since: datetime | None) -> Iterator[StatementLine]:
        """Yield the account's movements; not measured, for its caller sets the pace."""
        return self._gateway.statement(since=since)

    def _measured(self, operation: str, ask: Callable[[], T]) -> T:
        begun_at = time.perf_counter()
        outcome = "raised"
        try:
            with trace.spanning(f"gateway {_word(operation)}", kind="client", gateway=self.name):
                answer = ask()
            outcome = _word(type(answer).__name__)
        finally:
            histogram(
                "gateway_call_s", gateway=self.name, operation=_word(operation), outcome=outcome
            ).observe(time.perf_counter() - begun_at)
        return answer


def _word(name: str) -> str:
    """Return a class's name as a label: `InDoubt` is `in_doubt`."""
    return _WORDS.get(name) or _WORDS.setdefault(
        name, "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
    )


_WORDS: dict[str, str] = {}
