"""The book of a gateway that shows only its statement: what moved money, through the port.

A statement names neither our payments nor what is only reserved. So each charge that no payment of ours
names is looked at by itself, and holds are not seen.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from payments.audit.book import BookCharge, BookMovement, BookRefund
from payments.gateways.base import Gateway, LineKind, Observation, StatementLine
from payments.models import Payment

# A call each, and none of them is normal: beyond this there is one cause, and a hundred examples of it.
OBSERVED_MAX = 100


@dataclass(frozen=True)
class StatementBook:
    """What a statement tells, as the rows of a book."""

    charges: Sequence[BookCharge]
    refunds: Sequence[BookRefund]
    movements: Sequence[BookMovement]


def read_statement(gateway: Gateway) -> StatementBook:
    """Read the whole statement of an account. Raises StatementUnavailableError."""
    lines = list(gateway.statement(since=None))
    failed = {line.source for line in lines if line.kind is LineKind.REFUND_FAILED}
    refunds = [
        BookRefund(gateway.name, line.source, line.reference, "", line.currency, -line.amount_minor)
        for line in lines
        if line.kind is LineKind.REFUND and line.source not in failed
    ]
    captures = [line for line in lines if line.kind is LineKind.CHARGE]
    payments = _known_payments(gateway)
    payments |= _look_at_strangers(gateway, {line.reference for line in captures} - {""} - payments.keys())
    refunded: dict[str, int] = defaultdict(int)
    for refund in refunds:
        refunded[refund.charge_reference] += refund.amount_minor
    return StatementBook(
        charges=[_charge(gateway.name, line, refunded, payments) for line in captures],
        refunds=refunds,
        movements=[_movement(gateway.name, line) for line in lines],
    )


def _known_payments(gateway: Gateway) -> dict[str, str]:
    """Return the ids of our payments by the gateway's ids of their charges."""
    ours = Payment.objects.using("default").filter(gateway=gateway.name).exclude(reference="")
    return {reference: str(id_) for reference, id_ in ours.values_list("reference", "id")}


def _look_at_strangers(gateway: Gateway, references: Iterable[str]) -> dict[str, str]:
    """Return which payments of ours these charges say that they are for."""
    answers = {one: gateway.observe(one) for one in sorted(references)[:OBSERVED_MAX]}
    return {
        reference: str(seen.payment_id)
        for reference, seen in answers.items()
        if isinstance(seen, Observation) and seen.payment_id
    }


def _charge(
    account: str, line: StatementLine, refunded: Mapping[str, int], payments: Mapping[str, str]
) -> BookCharge:
    return BookCharge(
        account=account,
        reference=line.reference,
        charge=line.source,
        order_id="",
        payment_id=payments.get(line.reference, ""),
        key="",
        currency=line.currency,
        captured_minor=line.amount_minor,
        refunded_minor=refunded.get(line.reference, 0),
        is_open=False,
    )


def _movement(account: str, line: StatementLine) -> BookMovement:
    return BookMovement(
        account=account,
        id=line.id,
        kind=line.kind,
        source=line.source,
        charge_reference=line.reference,
        currency=line.currency,
        amount_minor=line.amount_minor,
        fee_minor=line.fee_minor,
    )
