"""Over orders that ended as they should, every check passes."""

import pytest

from config.audit.sandbox_book import SandboxBook
from resilience.audit import Verdict, checks
from tests.audit_kit import World, audit, failed

IDS = (
    [f"B{number}" for number in range(1, 7)]
    + [f"C{number}" for number in range(1, 12)]
    + ["I1", "I2", "I3"]
    + [f"L{number}" for number in range(1, 9)]
    + [f"O{number}" for number in range(1, 9)]
)


def test_the_checks_are_these():
    assert [check.id for check in checks()] == IDS


def test_where_every_promise_was_kept_every_check_passes(world: World):
    report = audit()

    assert failed(report) == {}
    assert report.verdict is Verdict.PASS
    assert report.under_way == {"sagas": 0}


@pytest.fixture
def _only_a_statement(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the gateway be one that shows no book, as Stripe itself."""
    monkeypatch.setattr(SandboxBook, "is_there", lambda _book: False)


@pytest.mark.usefixtures("_only_a_statement")
def test_a_gateway_without_a_book_is_judged_by_its_statement(world: World):
    assert failed(audit()) == {}


@pytest.mark.usefixtures("_only_a_statement")
def test_a_second_charge_is_found_in_a_statement_too(world: World):
    payment = world.payment(world.paid)
    again = world.charge_again(world.paid, amount_minor=1000)

    found = failed(audit())

    assert found.keys() == {"C1", "L3"}
    names = sorted(f"sandbox-1 {reference}" for reference in (payment.reference, again))
    assert [sorted(rows) for rows in found["C1"]] == [[f"payment {payment.id}", *names]]
    assert found["L3"] == [(f"sandbox-1 {again}",)]
