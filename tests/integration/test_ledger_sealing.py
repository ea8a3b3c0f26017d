"""The chain misses nothing and forks nowhere, and whatever is changed behind it is found, by its row."""

import threading

import pytest
from django.conf import settings
from django.db import IntegrityError, connection

from config.celery import app
from config.stack.servers import Addresses
from payments import tasks
from payments.ledger import sealing
from payments.ledger.balances import balances
from payments.ledger.chain import GENESIS
from payments.ledger.findings import Finding
from payments.ledger.posting import post
from payments.ledger.rows import seals, transactions
from payments.ledger.verify import verify
from payments.models import LedgerSeal, LedgerTransaction
from resilience.ids import new_id
from tests.events_kit import elsewhere, wait_until
from tests.ledger_kit import CLEARING, NOW, Sale, as_superuser, post_committed, rows, tamper
from tests.together import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def seal_all(*, limit: int = 1000) -> int:
    """Seal until nothing is left; whatever else runs in the server (autovacuum, say) may delay it."""
    sealed = [0]

    def seal_more() -> bool:
        sealed[0] += sealing.run_once(now=NOW, limit=limit)
        return balances().unsealed_transactions == 0

    wait_until(seal_more)
    return sealed[0]


def wait_until_final() -> None:
    """Wait for whatever runs in the server and began before the last booking."""
    final = "SELECT bool_and(xid < pg_snapshot_xmin(pg_current_snapshot())) FROM payments_ledger_transaction"
    wait_until(lambda: rows(final) == [(True,)])


def book(*amounts: int) -> list[Sale]:
    """Book and write as many captured payments, each in a transaction of its own."""
    sales = [Sale(amount) for amount in amounts]
    for sale in sales:
        sale.as_payment()
        post_committed(sale.captured())
    return sales


def checks(findings: list[Finding]) -> list[str]:
    return sorted(finding.check for finding in findings)


def name_of(sale: Sale) -> str:
    source = f"capture:{sale.payment_id}"
    return f"ledger transaction {LedgerTransaction.objects.get(source=source).pk} ({source})"


def test_an_empty_ledger_has_no_seal_and_nothing_wrong() -> None:
    assert seal_all() == 0
    assert LedgerSeal.objects.count() == 0
    assert verify() == []


def test_a_seal_holds_the_balances_and_follows_the_one_before() -> None:
    book(1000, 250)
    assert seal_all() == 2
    book(7)
    assert seal_all() == 1
    assert seal_all() == 0

    first, second = LedgerSeal.objects.order_by("id")

    assert (first.transactions, first.previous_digest) == (2, GENESIS)
    assert (second.transactions, second.previous_digest) == (1, first.digest)
    assert first.balances == {f"{CLEARING} EUR": 1250, "receivable EUR": -1250}
    assert second.balances == {f"{CLEARING} EUR": 1257, "receivable EUR": -1257}
    assert len(first.marks) == 16
    assert verify() == []


def test_a_limit_cuts_inside_a_transaction_and_loses_nothing() -> None:
    sales = [Sale(number + 1) for number in range(7)]
    for sale in sales:
        sale.as_payment()
    post_committed(*[sale.captured() for sale in sales])

    assert seal_all(limit=3) == 7

    assert [seal.transactions for seal in seals()] == [3, 3, 1]
    assert verify() == []


def test_who_commits_late_is_sealed_later_not_never() -> None:
    with elsewhere() as slow:
        slow.begin()
        late = Sale(5)
        late.as_payment()
        slow.do(lambda: post([late.captured()], now=NOW))
        [quick] = book(6)

        assert sealing.run_once(now=NOW) == 0
        slow.commit()

    assert seal_all() == 2
    assert [row.payment_id for row in transactions()] == [late.payment_id, quick.payment_id]
    assert verify() == []


def test_an_old_transaction_that_posts_last_is_sealed_in_its_place() -> None:
    with elsewhere() as old:
        old.begin()
        [quick] = book(6)
        late = Sale(5)
        late.as_payment()
        assert sealing.run_once(now=NOW) == 0
        old.do(lambda: post([late.captured()], now=NOW))
        old.commit()

    ids = list(LedgerTransaction.objects.order_by("id").values_list("payment_id", flat=True))
    assert seal_all() == 2
    assert ids == [quick.payment_id, late.payment_id]
    assert [row.payment_id for row in transactions()] == [late.payment_id, quick.payment_id]
    assert verify() == []


def test_posting_and_sealing_at_once_leaves_no_gap() -> None:
    sales = [[Sale(10 * worker + turn + 1) for turn in range(25)] for worker in range(6)]
    for sale in [sale for batch in sales for sale in batch]:
        sale.as_payment()
    posting = threading.Event()

    def post_all(batch: list[Sale]) -> int:
        for sale in batch:
            post_committed(sale.captured())
        return 0

    def seal_until_done() -> int:
        sealed = 0
        while not posting.is_set():
            sealed += sealing.run_once(now=NOW, limit=4)
        return sealed

    done = [0]

    def post_then_tell(batch: list[Sale]) -> int:
        try:
            return post_all(batch)
        finally:
            done[0] += 1
            if done[0] == len(sales):
                posting.set()

    results = at_once(
        [*(lambda batch=batch: post_then_tell(batch) for batch in sales), seal_until_done, seal_until_done]
    )

    assert sum(results) + seal_all() == 150
    assert sum(seal.transactions for seal in seals()) == 150
    assert [finding.message for finding in verify()] == []


def test_of_many_sealers_one_wins() -> None:
    book(*range(1, 9))
    wait_until_final()

    sealed = at_once([lambda: sealing.run_once(now=NOW)] * 6)

    assert sorted(sealed) == [0, 0, 0, 0, 0, 8]
    assert LedgerSeal.objects.count() == 1


def test_the_database_forbids_a_fork() -> None:
    book(1)
    seal_all()

    with pytest.raises(IntegrityError, match="a_ledger_chain_has_no_fork"):
        LedgerSeal.objects.create(
            last_xid=1,
            last_transaction_id=1,
            transactions=0,
            previous_digest=GENESIS,
            digest="f" * 64,
            marks=b"",
            balances={},
            sealed_at=NOW,
        )


def test_a_changed_amount_is_found_and_its_row_named(pg: Addresses) -> None:
    _before, sale, _after = book(100, 200, 300)
    seal_all()
    assert verify() == []

    changed = tamper(
        pg.superuser,
        "UPDATE payments_ledger_entry SET amount_minor = sign(amount_minor) * 201 "
        "WHERE abs(amount_minor) = 200",
    )

    findings = verify()
    assert changed == 2
    assert checks(findings) == ["L4", "L5", "L6", "L6"]
    [broken] = [finding for finding in findings if finding.check == "L4"]
    assert broken.rows == (name_of(sale), f"ledger seal {LedgerSeal.objects.get().pk}")
    [disagreeing] = [finding for finding in findings if finding.check == "L5"]
    assert disagreeing.rows == (f"payment {sale.payment_id}",)


def test_one_side_changed_is_also_out_of_balance(pg: Addresses) -> None:
    _before, sale = book(100, 200)
    seal_all()

    tamper(pg.superuser, "UPDATE payments_ledger_entry SET amount_minor = 201 WHERE amount_minor = 200")

    findings = verify()
    assert checks(findings) == ["L1", "L4", "L6"]
    assert {finding.rows[0] for finding in findings if finding.check in ("L1", "L4")} == {name_of(sale)}


@pytest.mark.parametrize("column", ["kind", "gateway", "source", "occurred_at", "order_id", "recorded_at"])
def test_no_column_can_be_changed_unseen(pg: Addresses, column: str) -> None:
    book(100, 200)
    seal_all()
    values = {"order_id": "gen_random_uuid()", "occurred_at": "now()", "recorded_at": "now()"}

    tamper(
        pg.superuser,
        f"UPDATE payments_ledger_transaction SET {column} = {values.get(column, chr(39) + 'x' + chr(39))} "
        "WHERE id = (SELECT max(id) FROM payments_ledger_transaction)",
    )

    last_id = LedgerTransaction.objects.latest("id").pk
    [broken] = [finding for finding in verify() if finding.check == "L4"]
    assert broken.rows[0].startswith(f"ledger transaction {last_id} ")


def test_a_removed_transaction_is_found_by_the_one_in_its_place(pg: Addresses) -> None:
    _first, gone, after = book(100, 200, 300)
    seal_all()
    [(gone_id,)] = rows("SELECT id FROM payments_ledger_transaction WHERE payment_id = %s", gone.payment_id)

    tamper(pg.superuser, "DELETE FROM payments_ledger_entry WHERE transaction_id = %s", [gone_id])
    tamper(pg.superuser, "DELETE FROM payments_ledger_transaction WHERE id = %s", [gone_id])

    findings = verify()
    assert checks(findings) == ["L4", "L5", "L6", "L6"]
    [broken] = [finding for finding in findings if finding.check == "L4"]
    assert broken.rows[0] == name_of(after)


def test_the_last_one_removed_is_found(pg: Addresses) -> None:
    book(100, 200)
    seal_all()

    tamper(
        pg.superuser,
        "DELETE FROM payments_ledger_transaction "
        "WHERE id = (SELECT max(id) FROM payments_ledger_transaction)",
    )

    [broken] = [finding for finding in verify() if finding.check == "L4"]
    assert "the last is missing" in broken.message


def test_one_slipped_in_is_found(pg: Addresses) -> None:
    book(100, 200)
    seal_all()

    tamper(
        pg.superuser,
        "INSERT INTO payments_ledger_transaction (source, kind, gateway, occurred_at, recorded_at, xid) "
        "VALUES ('forged', 'captured', '', now(), now(), '3')",
    )

    findings = verify()
    assert checks(findings) == ["L1", "L4"]
    assert all("(forged)" in finding.rows[0] for finding in findings)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("balances = jsonb_set(balances, '{receivable EUR}', '-5')", ["L6", "L6"]),
        ("digest = repeat('a', 64)", ["L4", "L4"]),
        ("previous_digest = repeat('a', 64)", ["L4", "L4"]),
        ("transactions = 7", ["L4"]),
        ("last_transaction_id = last_transaction_id - 1", ["L4", "L4", "L6", "L6", "L6", "L6"]),
    ],
)
def test_a_changed_seal_is_found(pg: Addresses, change: str, expected: list[str]) -> None:
    book(100, 200)
    seal_all()
    book(300)
    seal_all()
    first = LedgerSeal.objects.earliest("id").pk

    tamper(pg.superuser, f"UPDATE payments_ledger_seal SET {change} WHERE id = %s", [first])

    assert checks(verify()) == expected


def test_a_removed_seal_is_found(pg: Addresses) -> None:
    for amount in (100, 200, 300):
        book(amount)
        seal_all()
    middle = LedgerSeal.objects.order_by("id")[1].pk

    tamper(pg.superuser, "DELETE FROM payments_ledger_seal WHERE id = %s", [middle])

    assert "does not follow" in verify()[0].message


def test_an_end_cut_off_is_found_by_a_digest_kept_elsewhere(pg: Addresses) -> None:
    book(100)
    seal_all()
    sale = Sale(200)
    post_committed(sale.captured())
    seal_all()
    kept = LedgerSeal.objects.latest("id").digest

    for statement in (
        "DELETE FROM payments_ledger_seal WHERE id = (SELECT max(id) FROM payments_ledger_seal)",
        "DELETE FROM payments_ledger_entry WHERE abs(amount_minor) = 200",
        "DELETE FROM payments_ledger_transaction "
        "WHERE id = (SELECT max(id) FROM payments_ledger_transaction)",
    ):
        tamper(pg.superuser, statement)

    assert verify() == []
    assert checks(verify(kept_digests=[kept])) == ["L4"]


def test_a_payment_that_is_not_booked_and_one_booked_otherwise_are_found() -> None:
    unbooked, otherwise = Sale(100), Sale(200)
    unbooked.as_payment()
    otherwise.as_payment()
    post_committed(otherwise.captured(150))
    post_committed(otherwise.captured())

    assert [(finding.check, finding.message) for finding in verify()] == [
        ("L5", f"payment {unbooked.payment_id} has 100 captured, and 0 is booked."),
        ("L5", f"payment {otherwise.payment_id} has 200 captured, and 150 is booked."),
    ]


def test_refunds_and_those_that_came_back_agree_with_their_payment() -> None:
    sale, stays, returns = Sale(1000), new_id(), new_id()
    sale.as_payment(refunded_minor=300)
    post_committed(
        sale.captured(),
        sale.refunded(stays, 300),
        sale.refunded(returns, 50),
        sale.refund_failed(returns, 50),
    )
    seal_all()

    assert verify() == []


def test_a_reversal_of_another_amount_is_found() -> None:
    sale, refund_id = Sale(1000), new_id()
    sale.as_payment(refunded_minor=1)
    post_committed(sale.captured(), sale.refunded(refund_id, 50), sale.refund_failed(refund_id, 49))

    [finding] = verify()

    assert finding.check == "L8"
    assert finding.rows[1].endswith(f"(refund:{refund_id})")


def test_a_reversal_without_its_original_is_found(pg: Addresses) -> None:
    sale, refund_id = Sale(1000), new_id()
    sale.as_payment()
    post_committed(sale.captured(), sale.refunded(refund_id, 50), sale.refund_failed(refund_id, 50))

    tamper(pg.superuser, "UPDATE payments_ledger_transaction SET reverses_id = 4711 WHERE reverses_id > 0")
    assert checks(verify()) == ["L8"]
    tamper(pg.superuser, "UPDATE payments_ledger_transaction SET reverses_id = NULL")
    assert checks(verify()) == ["L8"]


def test_an_account_below_its_floor_is_found() -> None:
    post_committed(Sale(100).captured(), Sale(5).refunded(new_id(), 500), Sale(3).dispute_won(new_id()))

    messages = [finding.message for finding in verify() if finding.check == "L7"]

    assert messages == [
        f"{CLEARING} is -397 EUR, short by more than the -3 of fees and disputes.",
        "disputes is -3 EUR, below 0.",
    ]


def test_balances_that_do_not_sum_to_zero_are_found(pg: Addresses) -> None:
    book(100)

    tamper(pg.superuser, "UPDATE payments_ledger_entry SET amount_minor = 99 WHERE amount_minor = 100")

    assert checks(verify()) == ["L1", "L2"]


def recipe() -> str:
    """Return what docs/ledger.md tells to do after a restore into another cluster."""
    guide = (settings.BASE_DIR / "docs" / "ledger.md").read_text()
    return guide.partition("```sql\n")[2].partition("```")[0]


def test_a_chain_can_be_numbered_anew_after_a_restore(pg: Addresses) -> None:
    with elsewhere() as old:
        old.begin()
        quick, late, last = Sale(6), Sale(5), Sale(1)
        for sale in (quick, late, last):
            sale.as_payment()
        post_committed(quick.captured())
        old.do(lambda: post([late.captured()], now=NOW))
        old.commit()
    post_committed(last.captured())
    seal_all(limit=2)
    before = [row.source for row in transactions()]

    with as_superuser(pg.superuser) as superuser:
        superuser.execute(recipe())

    [new] = book(7)
    assert seal_all() == 1
    assert [row.xid for row in transactions()][:3] == [1, 2, 2]
    assert [row.source for row in transactions()] == [*before, f"capture:{new.payment_id}"]
    assert verify() == []


def test_sealing_is_a_task_that_beat_rings() -> None:
    app.loader.import_default_modules()
    book(1, 2)

    app.tasks["payments.ledger.seal"].apply(throw=True)
    seal_all()

    assert LedgerSeal.objects.count() == 1
    [entry] = [one for one in settings.CELERY_BEAT_SCHEDULE.values() if one["task"] == "payments.ledger.seal"]
    assert entry["options"]["expires"] <= entry["schedule"]


def test_a_task_catches_up_with_many_seals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "TRANSACTIONS_PER_SEAL_MAX", 2)
    monkeypatch.setattr(tasks, "_SEALS_PER_TASK_MAX", 2)
    book(*range(1, 6))
    wait_until_final()

    for expected in (2, 3, 3):
        tasks.seal_ledger()
        assert LedgerSeal.objects.count() == expected


def test_verifying_reads_many_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payments.ledger.rows.BATCH_MAX", 3)
    monkeypatch.setattr("payments.ledger.rows._SEALS_MAX", 2)
    monkeypatch.setattr("payments.ledger.agreement._PAYMENTS_MAX", 2)
    book(*range(1, 12))
    seal_all(limit=7)
    book(1, 2, 3, 4)

    assert verify() == []
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM payments_ledger_seal")
        assert cursor.fetchone() == (2,)
