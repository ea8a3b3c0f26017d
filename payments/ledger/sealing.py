"""Sealing: what is posted goes into the hash chain, a moment later and behind everybody's back.

A chain inside each capture's own transaction would put all captures in one line (docs/adr/0011). So a
sealer takes rows with `xid < pg_snapshot_xmin(pg_current_snapshot())`, ordered by (xid, id), and never
has to come back for one:

1. A row's xid is the id of the database transaction that wrote it; a trigger refuses any other at commit.
2. The sealer's snapshot, with xmin H, sees the end of every transaction whose id is below H. Whoever had
   not ended then has an id >= H, and so have his rows, whatever their own ids are and whenever he drew them.
3. So of the rows with xid < H none is missing, and none will join them: their order by (xid, id) is
   final. Each seal takes a prefix of what follows the seal before; whatever commits later lies behind. ∎

A transaction that writes and stays open anywhere in the server delays sealing, and breaks nothing.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from django.db import connection, transaction

from payments.ledger.chain import GENESIS, Posted, digest_of, line_of, mark_of, moved, without_zeros
from payments.ledger.rows import START, Seal, final_transactions, last_seal
from resilience.sql import recordset

logger = logging.getLogger(__name__)

# A seal of so many takes 250 to 500 ms and has 40 kB of marks; ten times as many would hold the clean-up of
# dead rows back for seconds, and a tenth would write more seals without being any faster.
TRANSACTIONS_PER_SEAL_MAX = 5_000
# The advisory lock of whoever seals; the number is arbitrary, and used nowhere else.
_LOCK = 7_336_201


def run_once(*, now: datetime, limit: int = TRANSACTIONS_PER_SEAL_MAX) -> int:
    """Seal up to `limit` transactions with one seal; return how many, 0 too when another sealer is at it."""
    with transaction.atomic():
        if not _is_mine():
            return 0
        # A statement of its own, hence a snapshot from after the lock: it sees the last sealer's seal.
        previous = last_seal()
        rows = final_transactions(after=previous.through if previous else START, limit=limit)
        if not rows:
            return 0
        digest = _append(previous, rows, now=now)
    # Logs are kept elsewhere: a digest from there shows a chain that was cut off or written anew.
    logger.info("The ledger was sealed.", extra={"digest": digest, "transactions": len(rows)})
    return len(rows)


def _is_mine() -> bool:
    """Tell whether this transaction is the sealer; until its end nobody else is."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        return bool(cursor.fetchone()[0])


def _append(previous: Seal | None, rows: Sequence[Posted], *, now: datetime) -> str:
    """Write the next link and return its digest.

    Beside the lock, a unique constraint on `previous_digest` forbids a fork.
    """
    previous_digest = previous.digest if previous else GENESIS
    balances = Counter(previous.balances if previous else {})
    balances.update(moved(rows))
    lines = [line_of(row) for row in rows]
    digest = digest_of(previous_digest, lines)
    seal = {
        "last_xid": str(rows[-1].xid),
        "last_transaction_id": rows[-1].id,
        "transactions": len(rows),
        "previous_digest": previous_digest,
        "digest": digest,
        "marks": "\\x" + b"".join(map(mark_of, lines)).hex(),
        "balances": dict(sorted(without_zeros(balances).items())),
    }
    with connection.cursor() as cursor:
        cursor.execute(_SEAL, [now, recordset([seal])])
    return digest


_SEAL = """
INSERT INTO payments_ledger_seal
    (last_xid, last_transaction_id, transactions, previous_digest, digest, marks, balances, sealed_at)
SELECT last_xid, last_transaction_id, transactions, previous_digest, digest, marks, balances, %s
FROM json_to_recordset(%s)
  AS t (last_xid xid8, last_transaction_id bigint, transactions int, previous_digest text, digest text,
        marks bytea, balances jsonb)
"""
