"""What happens to money behind the fake gateway: by requests, and by what payers and banks do."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count
from threading import RLock

from payments.gateways.base import (
    Absent,
    Answer,
    Authorize,
    Capture,
    Declined,
    LineKind,
    LookupAnswer,
    Refund,
    Request,
    StatementLine,
    Void,
)
from payments.states import DELAYED, DisputeStatus, RefundStatus
from payments.testing.book import ChargeStatus, FakeCharge, FakeDispute, FakeRefund
from payments.testing.methods import DECLINES, METHOD_WITH_ACTION, METHOD_WITH_PENDING_REFUND

SLIP_LASTS = timedelta(days=3)
AUTHORIZATION_LASTS = timedelta(days=7)


class FakeBank:
    """Payers and banks. `book` is by reference, `lines` the statement, the oldest line first."""

    def __init__(self, *, name: str, now: Callable[[], datetime]) -> None:
        self.book: dict[str, FakeCharge] = {}
        self.lines: list[StatementLine] = []
        self.lock = RLock()
        self._name = name
        self._now = now
        self._numbers = count(1)

    def charge_of(self, key: str) -> FakeCharge | None:
        """Return the charge that was asked for under `key`."""
        return next((charge for charge in self.book.values() if charge.request.key == key), None)

    def authenticate(self, reference: str) -> None:
        """Let the payer pass the 3-D Secure step."""
        self._move(reference, ChargeStatus.REQUIRES_ACTION, ChargeStatus.AUTHORIZED)

    def pay(self, reference: str) -> None:
        """Let the payer pay the slip: the money is on its way."""
        self._move(reference, ChargeStatus.REQUIRES_ACTION, ChargeStatus.PROCESSING)

    def clear(self, reference: str) -> None:
        """Let the money arrive that was paid."""
        with self.lock:
            charge = self._move(reference, ChargeStatus.PROCESSING, ChargeStatus.CAPTURED)
            self._take(charge, charge.request.amount_minor)

    def lapse(self, reference: str) -> None:
        """Let a slip, or an authorization, come to its end unused."""
        with self.lock:
            is_held = self.book[reference].status is ChargeStatus.AUTHORIZED
            self.book[reference].status = ChargeStatus.CANCELLED if is_held else ChargeStatus.FAILED

    def capture_by_hand(self, reference: str, amount_minor: int) -> None:
        """Let somebody take the money past the platform."""
        with self.lock:
            charge = self._move(reference, ChargeStatus.AUTHORIZED, ChargeStatus.CAPTURED)
            self._take(charge, amount_minor)

    def refund_by_hand(self, reference: str, amount_minor: int) -> str:
        """Let somebody give money back past the platform; return the refund's id."""
        with self.lock:
            return self._give_back(self.book[reference], "", amount_minor).reference

    def end_refund(self, reference: str, *, failure_code: str = "") -> None:
        """Let a refund arrive or, with a `failure_code`, fail, even after it has arrived."""
        with self.lock:
            charges = self.book.values()
            charge, refund = next((c, r) for c in charges for r in c.refunds if r.reference == reference)
            refund.failure_code = failure_code
            refund.status = RefundStatus.FAILED if failure_code else RefundStatus.SUCCEEDED
            if failure_code:
                self._write(LineKind.REFUND_FAILED, charge, refund.amount_minor, reference)

    def dispute(self, reference: str, amount_minor: int, *, reason: str = "fraudulent") -> str:
        """Let the payer's bank take money back; return the dispute's id."""
        with self.lock:
            charge = self.book[reference]
            dispute = FakeDispute(self._new_id("dispute"), amount_minor, reason, self._second())
            charge.disputes.append(dispute)
            self._write(LineKind.DISPUTE, charge, -amount_minor, dispute.reference)
            return dispute.reference

    def close_dispute(self, reference: str, *, is_won: bool) -> None:
        """Let the payer's bank decide a dispute."""
        with self.lock:
            charges = self.book.values()
            charge, dispute = next((c, d) for c in charges for d in c.disputes if d.reference == reference)
            dispute.status = DisputeStatus.WON if is_won else DisputeStatus.LOST
            if is_won:
                self._write(LineKind.DISPUTE_WON, charge, dispute.amount_minor, reference)

    def carry_out(self, request: Request) -> Answer:
        """Let `request` have its effect."""
        if isinstance(request, Authorize):
            return self._authorize(request)
        charge = self.book.get(request.reference)
        if charge is None:
            return Declined("resource_missing", "No such payment.")
        match request:
            case Capture():
                return self._capture(request, charge)
            case Void():
                return self._void(request, charge)
            case Refund():
                return self._refund(request, charge)

    def answer_about(self, request: Capture | Void | Refund) -> LookupAnswer:
        """Say what became of `request`, about a charge of the book."""
        charge = self.book[request.reference]
        if not isinstance(request, Refund):
            return charge.state_for(request)
        refund = charge.refund_of(request.key)
        return refund.answer if refund else Absent()

    def _authorize(self, request: Authorize) -> Answer:
        if request.method in DECLINES:
            return DECLINES[request.method]
        is_delayed = request.method_type in DELAYED
        waits = is_delayed or request.method == METHOD_WITH_ACTION
        charge = FakeCharge(
            reference=self._new_id(),
            request=request,
            status=ChargeStatus.REQUIRES_ACTION if waits else ChargeStatus.AUTHORIZED,
            lapses_at=self._second() + (SLIP_LASTS if is_delayed else AUTHORIZATION_LASTS),
        )
        self.book[charge.reference] = charge
        return charge.authorization()

    def _capture(self, request: Capture, charge: FakeCharge) -> Answer:
        if charge.status is ChargeStatus.AUTHORIZED:
            if request.amount_minor > charge.request.amount_minor:
                return Declined("amount_too_large", "More than was authorized.")
            charge.status = ChargeStatus.CAPTURED
            self._take(charge, request.amount_minor)
        return _certain(charge.state_for(request))

    def _void(self, request: Void, charge: FakeCharge) -> Answer:
        if charge.status not in (ChargeStatus.CAPTURED, ChargeStatus.PROCESSING):
            charge.status = ChargeStatus.CANCELLED
        return _certain(charge.state_for(request))

    def _refund(self, request: Refund, charge: FakeCharge) -> Answer:
        rest_minor = charge.captured_minor - charge.refunded_minor
        if charge.captured_minor == 0:
            return Declined("charge_not_refundable", "Nothing was captured.")
        if charge.is_disputed:
            return Declined("charge_disputed", "The payer's bank has the money.")
        if rest_minor == 0:
            return Declined("charge_already_refunded", "It was all given back.")
        if request.amount_minor > rest_minor:
            return Declined("amount_too_large", "More than is left.")
        return self._give_back(charge, request.key, request.amount_minor).answer

    def _take(self, charge: FakeCharge, amount_minor: int) -> None:
        charge.captured_minor = amount_minor
        self._write(LineKind.CHARGE, charge, amount_minor, f"{charge.reference}_attempt")

    def _give_back(self, charge: FakeCharge, key: str, amount_minor: int) -> FakeRefund:
        pends = charge.request.method == METHOD_WITH_PENDING_REFUND
        status = RefundStatus.PENDING if pends else RefundStatus.SUCCEEDED
        refund = FakeRefund(self._new_id("refund"), key, amount_minor, status, self._second())
        charge.refunds.append(refund)
        self._write(LineKind.REFUND, charge, -amount_minor, refund.reference)
        return refund

    def _write(self, kind: LineKind, charge: FakeCharge, amount_minor: int, source: str) -> None:
        self.lines.append(
            StatementLine(
                id=self._new_id("line"),
                kind=kind,
                amount_minor=amount_minor,
                fee_minor=0,
                currency=charge.request.currency,
                source=source,
                reference=charge.reference,
                created_at=self._second(),
            )
        )

    def _move(self, reference: str, expected: ChargeStatus, status: ChargeStatus) -> FakeCharge:
        with self.lock:
            charge = self.book[reference]
            assert charge.status is expected, f"the charge is {charge.status}"  # noqa: S101
            charge.status = status
            return charge

    def _new_id(self, kind: str = "") -> str:
        return f"{self._name}_{kind}{'_' if kind else ''}{next(self._numbers)}"

    def _second(self) -> datetime:
        # Gateways tell the time in whole seconds.
        return self._now().replace(microsecond=0)


def _certain(answer: LookupAnswer) -> Answer:
    assert not isinstance(answer, Absent), "an effect leaves no absence"  # noqa: S101
    return answer
