"""The book of the fake gateway: charges with their refunds and disputes, and what they say of a request."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from payments.gateways.base import (
    Absent,
    ActionRequired,
    ActionType,
    Answer,
    Authorize,
    Capture,
    ChargeState,
    Declined,
    InDoubt,
    LookupAnswer,
    Observation,
    Processing,
    SeenDispute,
    SeenRefund,
    Succeeded,
    Void,
)
from payments.states import DELAYED, DisputeStatus, RefundStatus


class ChargeStatus(StrEnum):
    """What a charge in the fake's book has come to. FAILED: its payer did not pay, in time or at all."""

    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    CANCELLED = "cancelled"
    FAILED = "failed"


_STATES = {
    ChargeStatus.REQUIRES_ACTION: ChargeState.OPEN,
    ChargeStatus.PROCESSING: ChargeState.OPEN,
    ChargeStatus.AUTHORIZED: ChargeState.AUTHORIZED,
    ChargeStatus.CAPTURED: ChargeState.CAPTURED,
    ChargeStatus.CANCELLED: ChargeState.ENDED,
    ChargeStatus.FAILED: ChargeState.ENDED,
}


@dataclass
class FakeRefund:
    """A refund; `key` is "" when it was made by hand."""

    reference: str
    key: str
    amount_minor: int
    status: RefundStatus
    created_at: datetime
    failure_code: str = ""

    @property
    def answer(self) -> Answer:
        """What the gateway says of it now."""
        match self.status:
            case RefundStatus.SUCCEEDED:
                return Succeeded(self.reference, self.amount_minor)
            case RefundStatus.PENDING:
                return Processing(self.reference)
            case RefundStatus.FAILED:
                text = "The gateway did not give the money back."
                return Declined(self.failure_code, text, self.reference)


@dataclass
class FakeDispute:
    """A dispute about a charge."""

    reference: str
    amount_minor: int
    reason: str
    opened_at: datetime
    status: DisputeStatus = DisputeStatus.OPEN


@dataclass
class FakeCharge:
    """A line of the fake's book. `lapses_at`: of its slip, or of its authorization."""

    reference: str
    request: Authorize
    status: ChargeStatus
    lapses_at: datetime
    captured_minor: int = 0
    refunds: list[FakeRefund] = field(default_factory=list)
    disputes: list[FakeDispute] = field(default_factory=list)

    @property
    def is_delayed(self) -> bool:
        """Whether its payer pays by an act of their own, and for good."""
        return self.request.method_type in DELAYED

    @property
    def refunded_minor(self) -> int:
        """What was given back, or is on its way."""
        return sum(each.amount_minor for each in self.refunds if each.status is not RefundStatus.FAILED)

    @property
    def is_disputed(self) -> bool:
        """Whether the payer's bank has the money."""
        return any(dispute.status is not DisputeStatus.WON for dispute in self.disputes)

    def refund_of(self, key: str) -> FakeRefund | None:
        """Return the refund that was asked for under `key`."""
        return next((refund for refund in self.refunds if refund.key == key), None)

    def authorization(self) -> Answer:
        """Say what became of the request that made it."""
        amount_minor = self.request.amount_minor
        match self.status:
            case ChargeStatus.REQUIRES_ACTION if self.is_delayed:
                url = f"https://gateway.test/boleto/{self.reference}"
                return ActionRequired(self.reference, url, ActionType.VOUCHER, self.lapses_at)
            case ChargeStatus.REQUIRES_ACTION:
                return ActionRequired(self.reference, f"https://gateway.test/{self.reference}")
            case ChargeStatus.PROCESSING:
                return Processing(self.reference)
            case ChargeStatus.AUTHORIZED:
                return Succeeded(self.reference, amount_minor, capture_before=self.lapses_at)
            case ChargeStatus.CAPTURED if self.captured_minor == amount_minor:
                return Succeeded(self.reference, amount_minor, is_captured=True)
            case ChargeStatus.CAPTURED:
                return _another_amount()
            case ChargeStatus.CANCELLED:
                return Declined("canceled", "The authorization was cancelled.", self.reference)
            case ChargeStatus.FAILED:
                code = "payment_intent_payment_attempt_expired"
                return Declined(code, "It was not paid.", self.reference)

    def state_for(self, request: Capture | Void) -> LookupAnswer:
        """Say what became of `request`; Absent while it had no effect."""
        match request, self.status:
            case _, ChargeStatus.PROCESSING:
                return InDoubt("the gateway's status is 'processing'", is_stored=True)
            case Capture(), ChargeStatus.CAPTURED:
                if request.amount_minor != self.captured_minor:
                    return _another_amount()
                return Succeeded(self.reference, request.amount_minor)
            case Capture(), ChargeStatus.CANCELLED:
                return Declined("authorization_gone", "The authorization has ended.", self.reference)
            case Capture(), ChargeStatus.REQUIRES_ACTION | ChargeStatus.FAILED:
                return Declined("not_authorized", "There is no authorization.", self.reference)
            case Void(), ChargeStatus.CANCELLED:
                return Succeeded(self.reference, self.request.amount_minor)
            case Void(), ChargeStatus.CAPTURED if self.captured_minor != self.request.amount_minor:
                return _another_amount()
            case Void(), ChargeStatus.CAPTURED:
                return Declined("already_captured", "The money was taken already.", self.reference)
            case _:
                return Absent()

    def observation(self) -> Observation:
        """Say all that is known of it."""
        is_held = self.status in (ChargeStatus.AUTHORIZED, ChargeStatus.CAPTURED) and not self.is_delayed
        return Observation(
            reference=self.reference,
            state=_STATES[self.status],
            amount_minor=self.request.amount_minor,
            captured_minor=self.captured_minor,
            currency=self.request.currency,
            payment_id=self.request.payment_id,
            key=self.request.key,
            refunds=tuple(_seen_refund(refund) for refund in reversed(self.refunds)),
            disputes=tuple(
                SeenDispute(
                    each.reference,
                    each.amount_minor,
                    self.request.currency,
                    each.reason,
                    each.status,
                    each.opened_at,
                )
                for each in reversed(self.disputes)
            ),
            capture_before=self.lapses_at if is_held else None,
        )


def _seen_refund(refund: FakeRefund) -> SeenRefund:
    return SeenRefund(
        refund.reference,
        refund.key,
        refund.amount_minor,
        refund.status.value,
        refund.created_at,
        refund.failure_code,
    )


def _another_amount() -> InDoubt:
    return InDoubt("the gateway shows another amount_received than ours", is_stored=True)
