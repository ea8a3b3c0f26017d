"""One conversation with a gateway about one operation, made with no transaction open.

The danger: a lost answer read as "no". A conversation about an operation that may already be at
the gateway therefore begins with a question, and only then sends again, under the same key.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

from payments.gateways.base import Absent, Gateway, InDoubt, LookupAnswer, NotSent, Request
from payments.gateways.permits import within_permits
from payments.gateways.registry import gateway
from payments.states import OperationKind
from payments.steps.sparing import sparingly
from payments.tenders import LiveOperation, Tender
from resilience import clock
from resilience.errors import Operational
from resilience.retry import Trouble

# How long a gateway's reads may lag behind its writes. Sooner than this after sending, "not found"
# is not "not charged" (Stripe's search is documented to lag up to a minute).
READS_LAG_MAX = timedelta(seconds=60)
# Later than the limit, not at it.
_A_MOMENT = timedelta(milliseconds=100)
# Stripe forgets a key after 24 h; past this, sending again could charge again.
KEY_KEPT = timedelta(hours=23)


class Mode(Enum):
    """SEND: provably not at the gateway yet. ASK: look up, then send again under the same key.

    LOOK: look up only, because carrying it out is no longer wanted.
    """

    SEND = auto()
    ASK = auto()
    LOOK = auto()


@dataclass(frozen=True)
class NeverHappened:
    """Proof that the operation was not and will not be carried out under its key."""

    error: str


@dataclass(frozen=True)
class Answered:
    """An exchange and what came of it."""

    exchange: "Exchange"
    answer: LookupAnswer | NeverHappened


@dataclass(frozen=True)
class Exchange:
    """A call as the saga engine wants it: calling it talks to the gateway.

    `fallback` is the account to ask instead, once it is proven that this one did nothing: it was not
    reached, or it declined with a code of `fails_over_on`. Empty where there is no other.
    `is_again`: an earlier try came to nothing, so that this one is made from the retry budget.
    """

    tender: Tender
    operation: LiveOperation
    request: Request
    mode: Mode
    fallback: str = ""
    fails_over_on: frozenset[str] = frozenset()
    is_again: bool = False

    @property
    def kind(self) -> OperationKind:
        """What is asked for."""
        return self.operation.kind

    def __call__(self) -> Answered:
        """Talk to the gateway. Raises only for bugs, which leave the operation as it was written: sent."""
        try:
            at = gateway(self.operation.gateway)
        except Operational as error:
            return Answered(self, NotSent(error.message))
        account = self.operation.gateway
        answer = within_permits(account, lambda: sparingly(account, self.trouble, lambda: self._talk(at)))
        return Answered(self, answer)

    @property
    def trouble(self) -> Trouble | None:
        """Why it is tried again; None the first time, and while it only waits for its payer."""
        if not self.is_again:
            return None
        return Trouble.TRANSPORT if self.mode is Mode.SEND else Trouble.DOUBT

    def _talk(self, at: Gateway) -> LookupAnswer | NeverHappened:
        if self.mode is Mode.SEND:
            return at.send(self.request)
        found = at.look_up(self.request)
        if not isinstance(found, Absent):
            return found
        now = clock.now()
        if self.mode is Mode.LOOK or now - self.operation.created_at > KEY_KEPT:
            return self._absent(at, now)
        answer = at.send(self.request)
        if isinstance(answer, InDoubt) and answer.is_stored and isinstance(at.look_up(self.request), Absent):
            return self._absent(at, now)
        return answer

    def _absent(self, at: Gateway, now: datetime) -> LookupAnswer | NeverHappened:
        """Say that nothing is there: a doubt while reads may lag, and then only after one last, long look."""
        sent_at = self.operation.sent_at or now
        if now - sent_at <= READS_LAG_MAX:
            clears_at = sent_at + READS_LAG_MAX + _A_MOMENT
            return InDoubt("the gateway shows no trace yet", is_stored=True, clears_at=clears_at)
        found = at.look_up(self.request, thoroughly=True)
        if not isinstance(found, Absent):
            return found
        return NeverHappened(f"the gateway shows no trace after {(now - sent_at).total_seconds():.0f} s")
