"""Runs: one at a time, each page for itself, a part of the list judges that part only, memory is bounded."""

import json
import multiprocessing
import os
import signal
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from threading import Event

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from payments.errors import (
    ExceptionNotFoundError,
    ExceptionResolvedError,
    ReconciliationTakenOverError,
    ReconciliationUnderWayError,
)
from payments.gateways import registry
from payments.gateways.base import LineKind, NotSent, StatementLine
from payments.models import Payment, ReconciledFact, ReconciliationException, ReconciliationRun
from payments.reconciliation import looking, passing
from payments.services.reconcile_gateway import reconcile
from payments.services.reconcile_lately import OVERLAP, reconcile_lately
from payments.services.resolve_exception import resolve_exception
from payments.states import RunStatus
from payments.store import runs
from payments.tasks import reconcile_accounts
from payments.testing import FakeGateway
from resilience.clock import now
from resilience.ids import new_id
from tests.conftest import SandboxClient
from tests.together import at_once

pytestmark = pytest.mark.django_db(transaction=True)
FORK = multiprocessing.get_context("fork")
START = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def gateway(sandbox: SandboxClient) -> Iterator[FakeGateway]:
    """The account of the settings, with a fake behind it."""
    adapter = FakeGateway(name=sandbox.name)
    registry.install(adapter)
    yield adapter
    registry.reset()


def line(number: int, **changes: object) -> StatementLine:
    given = StatementLine(
        id=f"txn_{number}",
        kind=LineKind.CHARGE,
        amount_minor=1000,
        fee_minor=40,
        currency="EUR",
        source=f"ch_{number}",
        reference=f"pi_{number}",
        created_at=START + timedelta(seconds=number),
    )
    return replace(given, **changes)


def captured(count: int, gateway: FakeGateway, *, listed: bool = True) -> list[Payment]:
    """Write payments that were captured, with the list's lines of them."""
    payments = Payment.objects.bulk_create(
        Payment(
            order_id=new_id(), client="shop", position=0, method="pm_card_visa", amount_minor=1000,
            currency="EUR", status="captured", captured_minor=1000, gateway=gateway.name,
            reference=f"pi_{number}", created_at=START, settled_at=START + timedelta(seconds=number),
        )
        for number in range(count)
    )  # fmt: skip
    if listed:
        gateway.bank.lines += [line(number) for number in range(count)]
    return payments


def run(
    gateway: FakeGateway, *, since: datetime | None = None, at: datetime | None = None
) -> ReconciliationRun:
    return reconcile(gateway.name, since=since, now=at or START + timedelta(days=1))


def open_kinds() -> list[tuple[str, str]]:
    rows = ReconciliationException.objects.filter(resolved_at=None)
    return sorted(rows.values_list("kind", "reference"))


def test_five_thousand_lines_take_little_memory_and_few_statements(gateway: FakeGateway) -> None:
    captured(5000, gateway)
    run(gateway)
    Payment.objects.all().delete()
    captured(5000, gateway, listed=False)

    tracemalloc.start()
    begun_s = time.monotonic()
    with CaptureQueriesContext(connection) as queries:
        found = run(gateway)
    took_s = time.monotonic() - begun_s
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert (found.lines, found.matched, found.exceptions) == (5000, 5000, 0)
    print(f"{took_s / 5 * 1000:.0f} ms per 1,000 lines (measured with tracemalloc), peak {peak / 1e6:.1f} MB")
    pages = 5000 // passing.PAGE_LINES
    assert len(queries) <= pages * 9 + 5000 // passing.FACTS_PER_PIECE * 5 + 20
    assert peak < 10_000_000
    assert ReconciledFact.objects.count() == 0


def test_fees_are_booked_once_however_often_the_list_is_read(gateway: FakeGateway) -> None:
    captured(3, gateway)

    run(gateway)
    run(gateway)

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), sum(amount_minor) FROM payments_ledger_entry WHERE account = 'fees'")
        assert cursor.fetchone() == (3, 120)


def test_a_list_that_breaks_off_proves_nothing_missing_and_keeps_what_was_done(gateway: FakeGateway) -> None:
    captured(250, gateway)
    gateway.bank.lines.append(line(999))  # nobody's
    gateway.statement_breaks_at = passing.PAGE_LINES + 50

    broken = run(gateway)

    assert broken.status == RunStatus.FAILED
    assert broken.error == "planned: the list broke off"
    assert (broken.lines, broken.matched, broken.exceptions) == (100, 99, 1)
    assert open_kinds() == [("unknown_charge", "pi_999")]
    gateway.statement_breaks_at = None
    whole = run(gateway)
    assert (whole.status, whole.lines, whole.matched, whole.exceptions) == ("finished", 251, 250, 1)


def test_a_gateway_that_cannot_be_asked_names_nothing(gateway: FakeGateway) -> None:
    gateway.bank.lines.append(line(1))
    gateway.plan_observations(NotSent("refused"))

    found = run(gateway)

    assert (found.status, found.exceptions, open_kinds()) == ("failed", 0, [])
    assert "could not be asked about pi_1: refused" in found.error


def test_a_second_line_about_one_charge_is_not_explained_by_the_first(gateway: FakeGateway) -> None:
    captured(1, gateway)
    gateway.bank.lines.append(line(0, id="txn_again"))

    found = run(gateway)

    assert (found.matched, found.exceptions) == (1, 1)
    assert open_kinds() == [("unknown_line", "txn_0")]


def test_what_is_under_way_is_not_judged(gateway: FakeGateway) -> None:
    [payment] = captured(1, gateway, listed=False)
    Payment.objects.filter(pk=payment.pk).update(in_doubt_since=START)

    found = run(gateway)

    assert (found.under_way, found.exceptions, found.summary["EUR"]["explained"]) == (1, 0, 1)


def test_what_is_younger_than_the_grace_is_not_missing(gateway: FakeGateway) -> None:
    captured(1, gateway, listed=False)

    young = run(gateway, at=START + passing.GRACE)
    old = run(gateway, at=START + passing.GRACE + timedelta(seconds=1))

    assert (young.exceptions, old.exceptions) == (0, 1)


def test_a_pass_over_a_part_leaves_older_differences_open(gateway: FakeGateway) -> None:
    gateway.bank.lines += [line(1), line(3000)]
    run(gateway)
    gateway.bank.lines.clear()

    run(gateway, since=START + timedelta(seconds=2000), at=START + timedelta(days=2))
    assert open_kinds() == [("unknown_charge", "pi_1")]
    run(gateway, at=START + timedelta(days=2))

    assert open_kinds() == []
    assert set(ReconciliationException.objects.values_list("resolution", "resolved_by")) == {
        ("not found any more", "")
    }


def test_a_missing_charge_that_is_listed_later_is_resolved(gateway: FakeGateway) -> None:
    captured(1, gateway, listed=False)
    run(gateway)
    assert open_kinds() == [("missing_charge", "pi_0")]
    gateway.bank.lines.append(line(0))

    again = run(gateway, at=START + timedelta(days=1, minutes=1))

    assert (again.matched, again.exceptions, open_kinds()) == (1, 0, [])


def test_a_person_explains_a_difference_until_it_changes(gateway: FakeGateway) -> None:
    gateway.bank.lines.append(line(1))
    run(gateway)
    found = ReconciliationException.objects.get()

    resolved = resolve_exception(found.pk, operator="ada", note="the old shop's", now=now())
    same = run(gateway, at=START + timedelta(days=2))
    gateway.bank.lines[0] = line(1, amount_minor=1001)
    changed = run(gateway, at=START + timedelta(days=3))

    assert (resolved.resolved_by, resolved.resolution) == ("ada", "the old shop's")
    assert (same.exceptions, same.accepted, same.summary["EUR"]["explained"]) == (0, 1, 1)
    assert (changed.exceptions, changed.accepted) == (1, 0)
    with pytest.raises(ExceptionResolvedError):
        resolve_exception(found.pk, operator="bob", note="mine", now=now())
    with pytest.raises(ExceptionNotFoundError):
        resolve_exception(new_id(), operator="bob", note="mine", now=now())
    found.refresh_from_db()
    assert found.resolved_by == "ada"


def test_two_runs_at_once_are_one(gateway: FakeGateway) -> None:
    captured(50, gateway)
    hold = Event()
    statement = gateway.statement

    def slow(*, since: datetime | None) -> Iterator[StatementLine]:
        hold.wait(2.0)
        yield from statement(since=since)

    gateway.statement = slow  # type: ignore[method-assign]

    def attempt() -> str:
        try:
            return run(gateway).status
        except ReconciliationUnderWayError:
            return "refused"

    assert sorted(at_once([attempt] * 6)) == ["finished"] + ["refused"] * 5
    assert ReconciliationRun.objects.count() == 1


def test_a_killed_run_is_buried_by_the_next_which_does_all_of_it(gateway: FakeGateway) -> None:
    captured(250, gateway)

    def die_at_the_second_page() -> None:
        connections.close_all()
        statement, read = gateway.statement, iter(range(1000))

        def fatal(*, since: datetime | None) -> Iterator[StatementLine]:
            for one in statement(since=since):
                if next(read) == passing.PAGE_LINES + 20:
                    os.kill(os.getpid(), signal.SIGKILL)
                yield one

        gateway.statement = fatal  # type: ignore[method-assign]
        run(gateway)

    connections.close_all()
    child = FORK.Process(target=die_at_the_second_page)
    child.start()
    child.join(20)
    assert child.exitcode == -signal.SIGKILL
    dead = ReconciliationRun.objects.get()
    assert (dead.status, dead.lines, dead.matched) == ("running", 100, 100)

    with pytest.raises(ReconciliationUnderWayError):
        run(gateway)
    ReconciliationRun.objects.update(lease_until=now() - timedelta(seconds=1))
    found = run(gateway)

    dead.refresh_from_db()
    assert (dead.status, dead.error) == ("failed", "its process ended without a word")
    assert (found.status, found.lines, found.matched, found.exceptions) == ("finished", 250, 250, 0)
    assert ReconciledFact.objects.count() == 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM payments_ledger_entry WHERE account = 'fees'")
        assert cursor.fetchone() == (250,)


def test_a_run_that_was_taken_for_dead_writes_nothing_more(gateway: FakeGateway) -> None:
    first = runs.begin_run(gateway.name, since=None, now=START)
    ReconciliationRun.objects.update(lease_until=now() - timedelta(seconds=1))
    second = runs.begin_run(gateway.name, since=None, now=START)

    with pytest.raises(ReconciliationTakenOverError):
        runs.keep_run(first)
    with pytest.raises(ReconciliationTakenOverError):
        runs.write_run(first, summary={}, lines=1, matched=1, booked=0, exceptions=0, under_way=0, accepted=0)
    runs.end_run(first, RunStatus.FINISHED)

    assert set(ReconciliationRun.objects.values_list("pk", "status", "lines")) == {
        (first, "failed", 0), (second, "running", 0)
    }  # fmt: skip


def test_a_bug_ends_the_run_and_is_loud(gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway.statement = lambda *, since: 1 / 0  # type: ignore[method-assign]

    with pytest.raises(ZeroDivisionError):
        run(gateway)

    assert ReconciliationRun.objects.get().status == "failed"


def test_more_differences_than_a_run_may_ask_about_are_left_to_the_next(
    gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "LOOKS_MAX", 100)
    gateway.bank.lines += [line(number) for number in range(150)]

    first, second = run(gateway), run(gateway)

    assert (first.status, first.exceptions) == ("failed", 100)
    assert (second.status, second.exceptions, len(open_kinds())) == ("finished", 150, 150)


def test_beat_reads_what_is_new_and_everything_once_a_day(gateway: FakeGateway) -> None:
    captured(2, gateway)

    first = reconcile_lately(gateway.name, now=START + timedelta(hours=1))
    second = reconcile_lately(gateway.name, now=START + timedelta(hours=2))
    ReconciliationRun.objects.filter(pk=second.pk).update(status="failed")
    third = reconcile_lately(gateway.name, now=START + timedelta(hours=3))
    fourth = reconcile_lately(gateway.name, now=START + timedelta(hours=25, seconds=1))

    assert (first.since, fourth.since) == (None, None)
    assert second.since == third.since == START + timedelta(hours=1) - OVERLAP
    assert (first.lines, second.lines, fourth.lines) == (2, 0, 2)


def test_the_task_leaves_an_account_alone_that_is_being_reconciled(gateway: FakeGateway) -> None:
    runs.begin_run(gateway.name, since=None, now=now())

    reconcile_accounts()

    assert ReconciliationRun.objects.filter(gateway=gateway.name).count() == 1


def shown(*arguments: str) -> tuple[int, str]:
    output = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("reconcile", *arguments, stdout=output)
    return ended.value.code, output.getvalue()


def test_the_command_says_by_its_status_whether_all_is_explained(gateway: FakeGateway) -> None:
    captured(2, gateway)
    only = ("--gateway", gateway.name)

    code, text = shown(*only)
    assert (code, "EUR: 2 of 2 explained (100.00 %), 2000 of 2000 minor units (100.00 %)" in text) == (
        0,
        True,
    )

    gateway.bank.lines.append(line(7))
    code, text = shown(*only)
    assert code == 1
    assert "EUR: 2 of 3 explained (66.66 %)" in text
    assert "unknown_charge  pi_7       -            1000 EUR" in text
    code, text = shown(*only, "--json", "--since", "2026-03-01T00:00:00Z")
    [document] = json.loads(text)["runs"]
    assert (code, document["unexplained"][0]["reference"]) == (1, "pi_7")

    gateway.statement_breaks_at = 1
    assert shown(*only)[0] == 2
    with pytest.raises(CommandError, match="Not configured: nobody"):
        call_command("reconcile", "--gateway", "nobody")
