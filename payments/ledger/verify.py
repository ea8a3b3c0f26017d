"""Doubting the ledger: every promise of docs/ledger.md, recomputed from the rows.

The danger: a sum that is stored is believed. So nothing stored is: entries are added up again, digests are
computed again, and what the payments say is compared with what is booked.
It reads in batches while others post and seal: what is sealed is final, and the rest is read once.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain, islice

from payments.ledger import rows
from payments.ledger.agreement import disagreements
from payments.ledger.balances import balances
from payments.ledger.chain import (
    GENESIS,
    Posted,
    balance_key,
    digest_of,
    first_difference,
    line_of,
    moved,
    split_balance_key,
    without_zeros,
)
from payments.ledger.facts import REFUND_FAILED
from payments.ledger.findings import Finding
from payments.ledger.floors import below_their_floor

# Whoever reads a report needs the first of them; a ledger that is wrong everywhere still fits in memory.
FINDINGS_MAX = 200


def verify(*, kept_digests: Collection[str] = ()) -> list[Finding]:
    """Check the whole ledger and return what is wrong with it, at most `FINDINGS_MAX`; [] is all well.

    `kept_digests`: digests that somebody kept outside the database (the sealer logs them). Each must
    still be in the chain, or its end was cut off or all of it written anew.
    """
    return list(
        islice(chain(_sealed(frozenset(kept_digests)), _unsealed(), _totals(), disagreements()), FINDINGS_MAX)
    )


def _sealed(kept_digests: frozenset[str]) -> Iterator[Finding]:
    """Walk the chain, link by link."""
    previous: rows.Seal | None = None
    lost = set(kept_digests)
    for seal in rows.seals():
        after = previous.through if previous else rows.START
        sealed = list(rows.transactions(after=after, through=seal.through))
        yield from _broken_links(seal, previous, sealed)
        yield from _wrong_balances(seal, previous, sealed)
        yield from _wrong_transactions(sealed)
        lost.discard(seal.digest)
        previous = seal
    for digest in sorted(lost):
        yield Finding("L4", f"The chain has no seal {digest} any more: its past was replaced or cut off.")


def _unsealed() -> Iterator[Finding]:
    last = rows.last_seal()
    behind = rows.transactions(after=last.through if last else rows.START)
    while batch := list(islice(behind, rows.BATCH_MAX)):
        yield from _wrong_transactions(batch)


def _totals() -> Iterator[Finding]:
    """Check the balances of this moment: they sum to zero, and none is below its floor."""
    current = {balance_key(line.account, line.currency): line.balance_minor for line in balances().lines}
    trial: Counter[str] = Counter()
    for key, minor in current.items():
        trial[split_balance_key(key)[1]] += minor
    for currency, minor in sorted(without_zeros(trial).items()):
        yield Finding("L2", f"All balances in {currency} sum to {minor}, not to 0.")
    for sentence in below_their_floor(current):
        yield Finding("L7", f"{sentence}.")


def _broken_links(seal: rows.Seal, previous: rows.Seal | None, sealed: Sequence[Posted]) -> Iterator[Finding]:
    expected = previous.digest if previous else GENESIS
    name = f"ledger seal {seal.id}"
    if seal.previous_digest != expected:
        yield Finding("L4", f"{name} does not follow the one before it: seals are missing or added.", (name,))
    lines = [line_of(posted) for posted in sealed]
    if digest_of(seal.previous_digest, lines) == seal.digest and len(sealed) == seal.transactions:
        return
    position = first_difference(seal.marks, lines)
    if position is None:
        yield Finding("L4", f"{name} was changed; what it sealed was not.", (name,))
    elif position < len(sealed):
        first = sealed[position].name
        yield Finding("L4", f"{first} is not what {name} sealed in its place.", (first, name))
    else:
        last = (sealed[-1].name,) if sealed else ()
        yield Finding("L4", f"{name} sealed more than is there: the last is missing.", (*last, name))


def _wrong_balances(
    seal: rows.Seal, previous: rows.Seal | None, sealed: Sequence[Posted]
) -> Iterator[Finding]:
    """Compare what the seal added to the balances with what its transactions move (L6)."""
    added = Counter(seal.balances)
    added.subtract(previous.balances if previous else {})
    wrong = Counter(added)
    wrong.subtract(moved(sealed))
    name = f"ledger seal {seal.id}"
    for key, minor in sorted(without_zeros(wrong).items()):
        yield Finding("L6", f"{name} says {minor:+d} too much of {key}.", (name,))


def _wrong_transactions(transactions: Sequence[Posted]) -> Iterator[Finding]:
    yield from _unbalanced(transactions)
    yield from _unlike_their_originals(transactions)


def _unbalanced(transactions: Iterable[Posted]) -> Iterator[Finding]:
    for posted in transactions:
        sums: Counter[str] = Counter()
        for entry in posted.entries:
            sums[entry.currency] += entry.amount_minor
        rest = dict(without_zeros(sums))
        if rest:
            yield Finding("L1", f"{posted.name} does not balance: {rest}.", (posted.name,))
        elif not posted.entries:
            yield Finding("L1", f"{posted.name} has no entries.", (posted.name,))


def _unlike_their_originals(transactions: Sequence[Posted]) -> Iterator[Finding]:
    reversals = {posted: posted.reverses_id for posted in transactions if posted.reverses_id is not None}
    originals = rows.transactions_with(list(reversals.values()))
    for posted in transactions:
        if posted.kind == REFUND_FAILED and posted not in reversals:
            yield Finding("L8", f"{posted.name} names no original.", (posted.name,))
    for posted, original_id in reversals.items():
        original = originals.get(original_id)
        if original is None:
            yield Finding("L8", f"The original of {posted.name} is not there.", (posted.name,))
        elif not _mirrors(posted, original):
            names = (posted.name, original.name)
            yield Finding("L8", f"{posted.name} is not {original.name} turned round.", names)


def _mirrors(posted: Posted, original: Posted) -> bool:
    turned = Counter((entry.account, entry.currency, -entry.amount_minor) for entry in original.entries)
    return (
        original.reverses_id is None
        and (posted.gateway, posted.payment_id) == (original.gateway, original.payment_id)
        and turned == Counter((entry.account, entry.currency, entry.amount_minor) for entry in posted.entries)
    )
