"""Which gateway account a payment goes to, and where it may go next. Pure.

The danger: a payment sent to a second account while the first one's answer is not known is paid twice.
So this only orders the accounts; whoever asks for the next one has proof that the last did nothing.
"""

import hashlib
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from payments.states import MethodType

WEIGHT_DEFAULT = 100


@dataclass(frozen=True)
class Account:
    """What an account takes. None takes all. `fails_over_on`: decline codes after which another may be asked.

    Of several accounts that take a payment, each gets a share by its `weight`; 0 only gets what the others
    cannot serve.
    """

    name: str
    currencies: frozenset[str] | None = None
    methods: frozenset[MethodType] | None = None
    weight: int = WEIGHT_DEFAULT
    fails_over_on: frozenset[str] = frozenset()

    def takes(self, *, currency: str, method_type: MethodType) -> bool:
        """Tell whether a payment of this kind may go to this account."""
        return (self.currencies is None or currency in self.currencies) and (
            self.methods is None or method_type in self.methods
        )


def read_account(setting: Mapping[str, Any]) -> Account:
    """Return the account that an entry of `settings.GATEWAYS` describes. Raises ValueError."""
    currencies, methods = setting.get("currencies"), setting.get("methods")
    return Account(
        name=setting["name"],
        currencies=None if currencies is None else frozenset(currencies),
        methods=None if methods is None else frozenset(MethodType(method) for method in methods),
        weight=setting.get("weight", WEIGHT_DEFAULT),
        fails_over_on=frozenset(setting.get("fails_over_on", ())),
    )


def route(
    accounts: Sequence[Account], *, currency: str, method_type: MethodType, payment_id: UUID
) -> list[Account]:
    """Return the accounts that take this payment, the one to ask first in front; the same every time.

    Weighted rendezvous hashing (Schindelhauer and Schomaker, 2005): each account draws
    `-weight / ln(h)` with h in (0, 1) from a hash of payment and account, and the largest wins, so that
    a change of one account's weight moves only payments to or from that account.
    """
    taking = [account for account in accounts if account.takes(currency=currency, method_type=method_type)]
    if len(taking) < 2:
        return taking
    return sorted(taking, key=lambda account: _score(account, payment_id), reverse=True)


def next_account(routed: Sequence[Account], *, after: str, without: Collection[str] = ()) -> Account | None:
    """Return who comes behind `after` in turn, None when nobody else is left.

    `without` are accounts that have refused this payment for good.
    """
    names = [account.name for account in routed]
    start = names.index(after) + 1 if after in names else 0
    turn = [*routed[start:], *routed[:start]]
    return next((account for account in turn if account.name not in {after, *without}), None)


def _score(account: Account, payment_id: UUID) -> float:
    digest = hashlib.blake2b(account.name.encode() + payment_id.bytes, digest_size=8).digest()
    # Strictly between 0 and 1, so that its logarithm exists and is below zero.
    chance = (int.from_bytes(digest) + 1) / (2**64 + 2)
    return -account.weight / math.log(chance)
