"""The gateways' books as checks read them: what really happened, in the words of those who did it.

Amounts are ISO minor units. Whoever reads a book from a gateway is in config/audit.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from resilience.sql import recordset


@dataclass(frozen=True)
class BookCharge:
    """A charge that holds or took money. `reference` is the payment's id at the gateway.

    `order_id`, `payment_id` and `key` are what was sent along, "" where there is nothing or the book
    does not tell. `is_open`: reserved, neither taken nor let go.
    """

    account: str
    reference: str
    charge: str
    order_id: str
    payment_id: str
    key: str
    currency: str
    captured_minor: int
    refunded_minor: int
    is_open: bool


@dataclass(frozen=True)
class BookRefund:
    """A refund that did not fail. `key` is ours, "" for one made past us or where the book does not tell."""

    account: str
    reference: str
    charge_reference: str
    key: str
    currency: str
    amount_minor: int


@dataclass(frozen=True)
class BookMovement:
    """A movement of money: `kind` as `payments.gateways.base.LineKind`, `amount_minor` signed."""

    account: str
    id: str
    kind: str
    source: str
    charge_reference: str
    currency: str
    amount_minor: int
    fee_minor: int


@dataclass(frozen=True)
class BookRequest:
    """A request that wrote, as a gateway that logs them got it. `key` is "" where none came."""

    account: str
    operation: str
    key: str
    path: str
    body_hash: str


@dataclass(frozen=True)
class GatewayBook:
    """All accounts' books, read until `read_at` or later: what was done before is in them.

    `silent` says of accounts that could not be read why not. `logs_requests`: accounts that are
    sandboxes, whose requests are here. The texts are the rows as parameters of `json_to_recordset`.
    """

    read_at: datetime
    accounts: frozenset[str] = frozenset()
    silent: Mapping[str, str] = field(default_factory=dict)
    logs_requests: frozenset[str] = frozenset()
    charges: tuple[BookCharge, ...] = ()
    refunds: tuple[BookRefund, ...] = ()
    movements: tuple[BookMovement, ...] = ()
    requests: tuple[BookRequest, ...] = ()

    @cached_property
    def charges_text(self) -> str:
        """The charges, for `CHARGES`."""
        return recordset(map(vars, self.charges))

    @cached_property
    def refunds_text(self) -> str:
        """The refunds, for `REFUNDS`."""
        return recordset(map(vars, self.refunds))

    @cached_property
    def movements_text(self) -> str:
        """The movements, for `MOVEMENTS`."""
        return recordset(map(vars, self.movements))

    @cached_property
    def requests_text(self) -> str:
        """The requests, for `REQUESTS`."""
        return recordset(map(vars, self.requests))


# MATERIALIZED, so that the text is taken apart once, however often a query looks at it.
CHARGES = """charges AS MATERIALIZED (SELECT * FROM json_to_recordset(%(charges)s) AS c
  (account text, reference text, charge text, order_id text, payment_id text, key text, currency text,
   captured_minor bigint, refunded_minor bigint, is_open boolean))"""
REFUNDS = """refunds AS MATERIALIZED (SELECT * FROM json_to_recordset(%(refunds)s) AS r
  (account text, reference text, charge_reference text, key text, currency text, amount_minor bigint))"""
MOVEMENTS = """movements AS MATERIALIZED (SELECT * FROM json_to_recordset(%(movements)s) AS m
  (account text, id text, kind text, source text, charge_reference text, currency text,
   amount_minor bigint, fee_minor bigint))"""
REQUESTS = """requests AS MATERIALIZED (SELECT * FROM json_to_recordset(%(requests)s) AS q
  (account text, operation text, key text, path text, body_hash text))"""
