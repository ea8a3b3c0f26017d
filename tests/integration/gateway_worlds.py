"""What payers, banks and the account's owner do, in the fake's book and in the sandbox's."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from payments.gateways.stripe import StripeGateway
from payments.testing import FakeGateway

# The sandbox's clockwork looks every 50 ms; this is for machines that are busy with something else.
PATIENCE_S = 20

T = TypeVar("T")


@dataclass
class FakeWorld:
    """The world around a fake."""

    gateway: FakeGateway

    def authenticate(self, reference: str) -> None:
        self.gateway.bank.authenticate(reference)

    def begin_to_pay(self, reference: str) -> None:
        self.gateway.bank.pay(reference)

    def pay(self, reference: str) -> None:
        self.gateway.bank.pay(reference)
        self.gateway.bank.clear(reference)

    def fail_to_pay(self, reference: str) -> None:
        self.gateway.bank.lapse(reference)

    def capture_by_hand(self, reference: str, amount_minor: int) -> None:
        self.gateway.bank.capture_by_hand(reference, amount_minor)

    def refund_by_hand(self, reference: str, amount_minor: int) -> str:
        return self.gateway.bank.refund_by_hand(reference, amount_minor)

    def end_refund(self, reference: str) -> None:
        self.gateway.bank.end_refund(reference)

    def dispute(self, reference: str, amount_minor: int) -> str:
        return self.gateway.bank.dispute(reference, amount_minor)

    def close_dispute(self, reference: str, *, is_won: bool) -> None:
        self.gateway.bank.close_dispute(reference, is_won=is_won)


@dataclass
class SandboxWorld:
    """The world around the adapter's account at the sandbox."""

    gateway: StripeGateway
    url: str

    def configure(self, **settings: float) -> dict[str, Any]:
        """Change the sandbox's settings and return those before."""
        before: dict[str, Any] = httpx.get(f"{self.url}/_config").raise_for_status().json()
        self._do("/_config", **settings)
        return before

    def authenticate(self, reference: str) -> None:
        self._do(f"/_authenticate/{reference}", outcome="succeed")

    def begin_to_pay(self, reference: str) -> None:
        """Wait for a payer who goes to the bank by themselves (see the fixture)."""

    def pay(self, reference: str) -> None:
        self._do(f"/_pay/{reference}", outcome="succeed")

    def fail_to_pay(self, reference: str) -> None:
        self._do(f"/_pay/{reference}", outcome="fail")

    def capture_by_hand(self, reference: str, amount_minor: int) -> None:
        self._do("/_console/capture", payment_intent=reference, amount=amount_minor)

    def refund_by_hand(self, reference: str, amount_minor: int) -> str:
        refund = self._do("/_console/refund", payment_intent=reference, amount=amount_minor)
        return str(refund["id"])

    def end_refund(self, reference: str) -> None:
        """Wait for a refund that arrives by itself."""

    def dispute(self, reference: str, amount_minor: int) -> str:
        return str(self._do("/_dispute", payment_intent=reference, amount=amount_minor)["id"])

    def close_dispute(self, reference: str, *, is_won: bool) -> None:
        self._do(f"/_dispute/{reference}/close", outcome="won" if is_won else "lost")

    def _do(self, path: str, **body: object) -> dict[str, Any]:
        answer: dict[str, Any] = httpx.post(self.url + path, json=body).raise_for_status().json()
        return answer


def eventually(ask: Callable[[], T], expected: Callable[[T], bool]) -> T:
    """Ask until the answer is as `expected`, and return it; the last one when patience ends."""
    until = time.monotonic() + PATIENCE_S
    while not expected(answer := ask()) and time.monotonic() < until:
        time.sleep(0.05)
    return answer
