"""Reads of the ledger: balances as of now, and statements. The caller's scope says which database answers."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from payments.ledger.chain import balance_key, split_balance_key
from payments.ledger.rows import START, last_seal, select


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account stands at: debit above zero, credit below."""

    account: str
    currency: str
    balance_minor: int


@dataclass(frozen=True, slots=True)
class Balances:
    """Every account that has moved, at one moment, and how much of it the chain has sealed.

    `sealed_at` and `digest` are those of the last seal, None before there is one.
    """

    lines: tuple[Balance, ...]
    sealed_at: datetime | None
    digest: str | None
    unsealed_transactions: int


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One entry with the fact that it is part of.

    `balance_minor`: of all that the same order (or payment) has moved on this account up to here; None
    in a statement that is not of one order or payment.
    """

    id: int
    transaction_id: int
    source: str
    kind: str
    gateway: str
    order_id: UUID | None
    payment_id: UUID | None
    reverses_source: str | None
    account: str
    currency: str
    amount_minor: int
    balance_minor: int | None
    occurred_at: datetime
    recorded_at: datetime


def balances() -> Balances:
    """Return what every account stands at now: the last seal's balances and the entries behind it.

    However large the ledger, it reads one seal and some seconds' entries. The entries are of one moment,
    and the seal never changes.
    """
    seal = last_seal()
    place = seal.through if seal else START
    sums = Counter(seal.balances if seal else {})
    unsealed = 0
    for account, currency, minor, transactions in select(_BEHIND_THE_SEAL, [str(place.xid), place.id]):
        if account is None:
            unsealed = transactions
        else:
            sums[balance_key(account, currency)] += int(minor)
    return Balances(
        lines=tuple(Balance(*split_balance_key(key), minor) for key, minor in sorted(sums.items())),
        sealed_at=seal.sealed_at if seal else None,
        digest=seal.digest if seal else None,
        unsealed_transactions=unsealed,
    )


def statement(
    *,
    order_id: UUID | None = None,
    payment_id: UUID | None = None,
    account: str | None = None,
    currency: str | None = None,
    before: int | None = None,
    limit: int,
) -> list[StatementLine]:
    """Return up to `limit` entries that fit, the newest first, with ids below `before`.

    For a payment, name its order too: that is what the index knows.
    """
    narrow = {"t.order_id": order_id, "t.payment_id": payment_id}
    wide = {"account": account, "currency": currency}
    is_of_one = order_id is not None or payment_id is not None
    conditions = [f"{column} = %s" for column, value in narrow.items() if value is not None]
    outer = [f"{column} = %s" for column, value in wide.items() if value is not None]
    outer += ["id < %s"] if before is not None else []
    # The running balance needs the order's entries that the page leaves out.
    query = _STATEMENT.format(
        balance=_RUNNING if is_of_one else "NULL",
        narrow=" AND ".join(["true", *conditions]),
        wide=" AND ".join(["true", *outer]),
    )
    values = [value for value in (order_id, payment_id, account, currency, before) if value is not None]
    return [StatementLine(*row) for row in select(query, [*values, limit])]


# The grand total, without an account, counts the transactions.
_BEHIND_THE_SEAL = """
SELECT e.account, e.currency, sum(e.amount_minor), count(DISTINCT t.id)
FROM payments_ledger_transaction t JOIN payments_ledger_entry e ON e.transaction_id = t.id
WHERE (t.xid, t.id) > (%s::xid8, %s)
GROUP BY GROUPING SETS ((e.account, e.currency), ())
"""

_RUNNING = "sum(e.amount_minor) OVER (PARTITION BY e.account, e.currency ORDER BY e.id)"
_STATEMENT = """
SELECT * FROM (
    SELECT e.id, e.transaction_id, t.source, t.kind, t.gateway, t.order_id, t.payment_id,
           original.source AS reverses_source, e.account, e.currency, e.amount_minor,
           ({balance})::bigint AS balance, t.occurred_at, t.recorded_at
    FROM payments_ledger_transaction t
    JOIN payments_ledger_entry e ON e.transaction_id = t.id
    LEFT JOIN payments_ledger_transaction original ON original.id = t.reverses_id
    WHERE {narrow}
) AS line
WHERE {wide}
ORDER BY id DESC
LIMIT %s
"""
