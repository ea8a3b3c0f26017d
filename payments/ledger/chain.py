"""The hash chain: the canonical text of what was posted, and the digest over it.

The danger: who can write to the database can change the past and all sums with it. A digest over each row
and the digest before makes that show, to whoever has kept any later digest elsewhere.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from payments.ledger.booking import Entry

# What the first seal follows.
GENESIS = "0" * 64
# Enough to tell one row from its neighbours; the digest is what proves.
MARK_BYTES = 8


@dataclass(frozen=True, slots=True)
class Posted:
    """A transaction as it stands in the ledger, its entries in the order in which they were posted.

    (`xid`, `id`) is its place in the chain; see `payments.ledger.sealing`.
    """

    xid: int
    id: int
    source: str
    kind: str
    gateway: str
    order_id: UUID | None
    payment_id: UUID | None
    reverses_id: int | None
    occurred_at: datetime
    recorded_at: datetime
    entries: tuple[Entry, ...]

    @property
    def name(self) -> str:
        """Name it as findings do."""
        return f"ledger transaction {self.id} ({self.source})"


def line_of(posted: Posted) -> bytes:
    """Return the canonical text of a transaction: one line of JSON in ASCII, times in UTC.

    Without `xid`, which a restore into another cluster renumbers. A change here breaks every chain.
    """
    document = [
        posted.id,
        posted.source,
        posted.kind,
        posted.gateway,
        posted.order_id and str(posted.order_id),
        posted.payment_id and str(posted.payment_id),
        posted.reverses_id,
        _instant(posted.occurred_at),
        _instant(posted.recorded_at),
        [[entry.account, entry.currency, entry.amount_minor] for entry in posted.entries],
    ]
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def digest_of(previous: str, lines: Iterable[bytes]) -> str:
    """Return the digest, in hex, of the digest before and these lines."""
    digest = hashlib.sha256(previous.encode())
    for line in lines:
        digest.update(line)
    return digest.hexdigest()


def mark_of(line: bytes) -> bytes:
    """Return the few bytes by which a seal remembers a line."""
    return hashlib.sha256(line).digest()[:MARK_BYTES]


def moved(transactions: Iterable[Posted]) -> Counter[str]:
    """Return what these transactions move, in minor units by "account currency"; zeros left out."""
    sums: Counter[str] = Counter()
    for posted in transactions:
        for entry in posted.entries:
            sums[balance_key(entry.account, entry.currency)] += entry.amount_minor
    return without_zeros(sums)


def without_zeros(sums: Counter[str]) -> Counter[str]:
    """Return the sums that are not zero, so that two ways to count can be compared."""
    return Counter({key: minor for key, minor in sums.items() if minor})


def balance_key(account: str, currency: str) -> str:
    """Return the key of a balance; a currency has no space, so it can be split from the right."""
    return f"{account} {currency}"


def split_balance_key(key: str) -> tuple[str, str]:
    """Return account and currency of a balance."""
    account, _space, currency = key.rpartition(" ")
    return account, currency


def first_difference(marks: bytes, lines: Sequence[bytes]) -> int | None:
    """Return the position of the first line that `marks` does not remember so; None when all agree.

    A position behind the last line says that lines are missing there.
    """
    for position, line in enumerate(lines):
        if marks[position * MARK_BYTES : (position + 1) * MARK_BYTES] != mark_of(line):
            return position
    return len(lines) if len(marks) > len(lines) * MARK_BYTES else None


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
