"""Floors: how far an account can go before something must be wrong, as data.

Checked on the balances of one moment, never along the chain: the order of the chain is not that of
causes to the last detail, and a refund may be sealed just before its capture.
"""

from collections.abc import Iterable, Mapping

from payments.ledger.chain import balance_key, split_balance_key
from payments.ledger.facts import CLEARING_PREFIX, DISPUTE_LOSSES, DISPUTES, FEES, RECEIVABLE, REFUNDS

# Only ever debited, or credited with what was debited before: not below zero. More came back of refunds
# than went out, or a dispute ended that never began.
_DEBITED = frozenset({REFUNDS, FEES, DISPUTES, DISPUTE_LOSSES})
# Only ever credited: not above zero.
_CREDITED = frozenset({RECEIVABLE})
# What a gateway owes us is what was taken less what went back, which is not negative, less what the gateway
# kept: so it can be short by these, and by no more.
_KEPT_BY_THE_GATEWAY = (FEES, DISPUTES, DISPUTE_LOSSES)


def below_their_floor(balances: Mapping[str, int]) -> Iterable[str]:
    """Yield a sentence for each balance, by "account currency", that is where it cannot be."""
    for key, minor in sorted(balances.items()):
        account, currency = split_balance_key(key)
        if account.startswith(CLEARING_PREFIX):
            kept = sum(balances.get(balance_key(name, currency), 0) for name in _KEPT_BY_THE_GATEWAY)
            if minor < -kept:
                yield f"{account} is {minor} {currency}, short by more than the {kept} of fees and disputes"
        elif account in _CREDITED:
            if minor > 0:
                yield f"{account} is {minor} {currency}, above 0: more went back than was taken"
        elif account not in _DEBITED:
            yield f"{account} is an account that no fact books to"
        elif minor < 0:
            yield f"{account} is {minor} {currency}, below 0"
