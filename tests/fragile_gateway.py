"""A gateway in memory that can go away and fall silent for as long as a test likes."""

from payments.gateways.base import Answer, Authorize, InDoubt, LookupAnswer, NotSent, Refund, Request
from payments.testing import ChargeStatus, FakeGateway


class Fragile(FakeGateway):
    """An account that can be away (nothing reaches it) or silent (nothing comes back)."""

    def __init__(self, *, name: str) -> None:
        super().__init__(name=name)
        self.is_away = False
        self.is_silent = False

    def send(self, request: Request) -> Answer:
        if self.is_away:
            self.requests.append(request)
            return NotSent("connection refused")
        if self.is_silent:
            self.requests.append(request)
            return InDoubt("no answer")
        return super().send(request)

    def look_up(self, request: Request, *, thoroughly: bool = False) -> LookupAnswer:
        if self.is_away or self.is_silent:
            self.lookups.append(request)
            return InDoubt("no answer")
        return super().look_up(request, thoroughly=thoroughly)

    @property
    def authorizations(self) -> list[str]:
        """The keys that an authorization was asked for with."""
        return [request.key for request in self.requests if isinstance(request, Authorize)]

    @property
    def charges(self) -> list[ChargeStatus]:
        return [charge.status for charge in self.book.values()]

    @property
    def given_back_minor(self) -> int:
        return sum(charge.refunded_minor for charge in self.book.values())

    @property
    def refund_keys(self) -> list[str]:
        """The keys that a refund was asked for with."""
        return [request.key for request in self.requests if isinstance(request, Refund)]
