"""A pass over the real sandbox's list: what was planted is found and named, what can be booked is booked."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from django.db import IntegrityError, transaction

from orders.services.cancel_order import cancel_order
from payments.ledger.balances import balances
from payments.ledger.facts import fee as fee_booking
from payments.ledger.posting import post
from payments.ledger.verify import verify
from payments.models import Dispute, Operation, Payment, ReconciliationException, ReconciliationRun, Refund
from payments.services.reconcile_gateway import reconcile
from resilience.clock import now
from resilience.ids import new_id
from resilience.saga.models import Saga
from tests.conftest import SandboxClient
from tests.orders_kit import CLIENT, carry_to_the_end, place, runner, stock
from tests.processes import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

Named = tuple[str, str, UUID | None]


class Console(SandboxClient):
    """The sandbox as somebody at the gateway uses it."""

    def do(self, path: str, **body: object) -> dict[str, Any]:
        answer = httpx.post(f"{self.url}{path}", json=body)
        assert answer.status_code == 200, answer.text
        shown: dict[str, Any] = answer.json()
        return shown


@pytest.fixture
def console(sandbox: SandboxClient) -> Iterator[Console]:
    """A book without anything in it: the tests before have forgotten theirs."""
    at = Console(**vars(sandbox))
    for row in at.rows("SELECT id FROM intents"):
        at.do("/_console/forget", payment_intent=row["id"])
    at.do("/_config", fee_bps=150, fee_fixed=25)
    stock(100)
    yield at
    at.do("/_config", fee_bps=0, fee_fixed=0, refund_clears_after_s=3, dispute_after_s=1)


def later() -> datetime:
    """Return a time at which what is booked now is no longer too young to be missed."""
    return now() + timedelta(minutes=15)


def run(at: Console, **changes: Any) -> ReconciliationRun:
    return reconcile(at.name, **{"since": None, "now": later(), **changes})


def sold(*methods: str, quantity: int = 1) -> Payment:
    order_id = place(*methods, quantity=quantity)
    carry_to_the_end([order_id], within_s=20)
    return Payment.objects.get(order_id=order_id, position=0)


def cancelled() -> Payment:
    payment = sold()
    assert cancel_order(client=CLIENT, order_id=payment.order_id, now=now())
    carry_to_the_end([payment.order_id], within_s=20)
    payment.refresh_from_db()
    return payment


def authorized(at: Console, *, quantity: int = 1) -> Payment:
    """Return a payment that waits for its capture, with nothing under way."""
    order_id = place(quantity=quantity)
    worker, ids = runner(lease_s=5.0), list(Saga.objects.filter(business_key=order_id))
    at.faults({"fault": "throttle", "operation": "capture"})
    for _turn in range(20):
        worker.run([saga.id for saga in ids])
        if Payment.objects.filter(order_id=order_id, status="authorized").exists():
            break
        Saga.objects.filter(business_key=order_id).update(due_at=now())
    at.clear_faults()
    Operation.objects.filter(payment__order_id=order_id, kind="capture").delete()
    Saga.objects.filter(business_key=order_id).update(due_at=now() + timedelta(days=1))
    return Payment.objects.get(order_id=order_id)


def open_ones() -> set[Named]:
    rows = ReconciliationException.objects.filter(resolved_at=None)
    return {(row.kind, row.reference, row.order_id) for row in rows}


def clearing(at: Console) -> dict[str, int]:
    return {
        line.currency: line.balance_minor
        for line in balances().lines
        if line.account == f"clearing:{at.name}" and line.balance_minor
    }


def their_balance(at: Console) -> dict[str, int]:
    rows = at.rows("SELECT currency, sum(amount - fee) AS net FROM balance_transactions GROUP BY currency")
    return {row["currency"].upper(): row["net"] for row in rows if row["net"]}


def carry_all() -> None:
    """Carry refunds that were started to their end."""
    refunds = Saga.objects.filter(definition="refund_payment")
    refunds.update(due_at=now())  # they began at the time that the run was told
    carry_to_the_end(list(refunds.values_list("business_key", flat=True)), within_s=20)


def test_when_nothing_differs_everything_is_explained_and_each_fee_is_booked_once(console: Console) -> None:
    payments = [sold(), sold("pm_card_visa", "pm_card_visa", quantity=2), cancelled()]

    first, second = run(console), run(console)

    assert (first.status, first.error) == ("finished", "")
    assert (first.lines, first.matched, first.booked, first.exceptions) == (5, 5, 0, 0)
    assert first.summary["EUR"] == {
        "items": 5, "explained": 5, "amount_minor": 5000, "explained_minor": 5000
    }  # fmt: skip
    assert (second.matched, second.exceptions) == (5, 0)
    assert clearing(console) == their_balance(console) == {"EUR": 3000 - 4 * (15 + 25)}
    assert len(payments) == 3
    assert verify() == []


def test_what_was_done_at_the_console_is_booked(console: Console) -> None:
    refunded, disputed, won, taken = sold(quantity=2), sold(), sold(), authorized(console)
    console.do("/_console/refund", payment_intent=refunded.reference, amount=700)
    dispute = console.do("/_dispute", payment_intent=disputed.reference)
    second = console.do("/_dispute", payment_intent=won.reference)
    console.do(f"/_dispute/{second['id']}/close", outcome="won")
    console.do("/_console/capture", payment_intent=taken.reference)

    first = run(console)

    assert (first.exceptions, open_ones()) == (0, set())
    assert first.booked == 5  # a refund, two disputes, the end of one, a capture
    assert list(Refund.objects.values_list("payment_id", "amount_minor", "source", "status")) == [
        (refunded.pk, 700, "gateway", "succeeded")
    ]
    assert set(Dispute.objects.values_list("reference", "status")) == {
        (dispute["id"], "open"), (second["id"], "won")
    }  # fmt: skip
    taken.refresh_from_db()
    assert (taken.status, taken.captured_minor) == ("captured", 1000)
    again = run(console)
    assert (again.matched, again.booked, again.exceptions) == (again.lines, 0, 0)
    assert clearing(console) == their_balance(console)
    assert verify() == []


def test_a_capture_after_the_end_is_given_back_by_itself(console: Console) -> None:
    payment = authorized(console)
    Payment.objects.filter(pk=payment.pk).update(status="voided", settled_at=now())
    console.do("/_console/capture", payment_intent=payment.reference)

    first = run(console)
    carry_all()
    second = run(console)

    assert (first.booked, first.exceptions) == (1, 0)
    payment.refresh_from_db()
    assert (payment.status, payment.refunded_minor) == ("refunded", 1000)
    assert (second.lines, second.matched, second.exceptions) == (2, 2, 0)
    assert clearing(console) == their_balance(console)


def test_a_charge_that_names_a_payment_without_a_charge_is_its_late_success(console: Console) -> None:
    payment = sold("pm_card_visa_chargeDeclined")
    assert payment.status == "declined"
    Payment.objects.filter(pk=payment.pk).update(gateway="", reference="")
    asked_for = {"payment_id": str(payment.pk), "operation_key": payment.operations.get().key}
    shown = console.do("/_console/charge", amount=1000, currency="eur", metadata=asked_for)

    first = run(console)
    carry_all()
    second = run(console)

    assert (first.booked, first.exceptions, second.matched, second.exceptions) == (1, 0, 2, 0)
    payment.refresh_from_db()
    assert (payment.status, payment.reference, payment.refunded_minor) == ("refunded", shown["id"], 1000)
    assert clearing(console) == their_balance(console)


def test_a_refund_that_did_not_arrive_is_booked_back_and_left_to_a_person(console: Console) -> None:
    console.do("/_config", refund_clears_after_s=0)
    ours, theirs = sold("pm_card_refundFail"), sold("pm_card_refundFail")
    assert cancel_order(client=CLIENT, order_id=ours.order_id, now=now())
    carry_to_the_end([ours.order_id], within_s=20)
    console.do("/_console/refund", payment_intent=theirs.reference)
    lines = "SELECT id FROM balance_transactions WHERE type = 'refund_failure'"
    wait_until(lambda: len(console.rows(lines)) == 2)

    found = run(console)

    assert (found.lines, found.matched, found.booked, found.exceptions) == (6, 6, 1, 0)
    refund = Refund.objects.get()
    assert (refund.payment_id, refund.status) == (ours.pk, "failed")
    assert open_ones() == {("refund_failed", refund.reference, ours.order_id)}
    run(console)
    assert open_ones() == {("refund_failed", refund.reference, ours.order_id)}
    assert clearing(console) == their_balance(console)


def test_a_fee_that_changes_is_booked_as_it_was_for_each_charge(console: Console) -> None:
    sold()
    console.do("/_config", fee_bps=0, fee_fixed=7)
    sold()

    run(console)

    assert clearing(console) == their_balance(console) == {"EUR": 2000 - 40 - 7}


def test_a_refund_of_more_than_is_left_by_our_books_is_not_called_under_way(console: Console) -> None:
    payment = sold()
    Refund.objects.create(
        payment=payment, amount_minor=300, source="request", status="succeeded", reference="re_none",
        created_at=now(), settled_at=now(),
    )  # fmt: skip
    Payment.objects.filter(pk=payment.pk).update(refunded_minor=300)
    refund = console.do("/_console/refund", payment_intent=payment.reference)

    found = run(console)

    assert (found.exceptions, found.under_way, found.booked) == (2, 0, 0)
    assert open_ones() == {
        ("unknown_refund", refund["id"], payment.order_id),
        ("missing_refund", "re_none", payment.order_id),
    }


def test_what_cannot_be_booked_is_named_and_ends_nothing(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = sold()
    refund = console.do("/_console/refund", payment_intent=payment.reference, amount=300)
    sold()

    def refuse(*_arguments: object, **_options: object) -> None:
        raise IntegrityError("rows that a bug has left so")

    monkeypatch.setattr("payments.reconciliation.looking.book_what_is_seen", refuse)
    found = run(console)

    assert (found.status, found.lines, found.matched, found.exceptions) == ("finished", 3, 2, 1)
    assert open_ones() == {("unknown_refund", refund["id"], payment.order_id)}
    assert "cannot be booked" in ReconciliationException.objects.get().theirs


def test_a_refund_that_failed_here_and_was_made_there_is_a_difference(console: Console) -> None:
    payment = sold()
    refund = console.do("/_console/refund", payment_intent=payment.reference, amount=300)
    Refund.objects.create(
        payment=payment, amount_minor=300, source="request", status="failed", reference=refund["id"],
        created_at=now(), settled_at=now(),
    )  # fmt: skip
    sold()

    found = run(console)

    assert (found.status, found.lines, found.matched, found.exceptions) == ("finished", 3, 2, 1)
    assert open_ones() == {("status_differs", refund["id"], payment.order_id)}


def test_a_list_that_cannot_be_had_is_no_verdict(console: Console) -> None:
    payment = sold()
    console.do("/_console/forget", payment_intent=payment.reference)
    console.faults({"fault": "down", "for_s": 60})

    found = run(console)

    assert (found.status, found.lines, open_ones()) == ("failed", 0, set())
    assert found.error.startswith("a page of the gateway's list could not be had")


def test_twenty_planted_differences_are_all_found_and_named(console: Console) -> None:
    planted: set[Named] = set()

    def differs(kind: str, reference: str, payment: Payment | None = None) -> None:
        planted.add((kind, reference, payment.order_id if payment else None))

    for amount in (999, 1001, 1):  # 1-3: another amount
        payment = sold()
        console.do("/_console/tamper", payment_intent=payment.reference, amount=amount)
        differs("amount_differs", payment.reference, payment)
    for currency in ("usd", "gbp"):  # 4-5: another currency
        payment = sold()
        console.do("/_console/tamper", payment_intent=payment.reference, currency=currency)
        differs("currency_differs", payment.reference, payment)
    for _number in range(2):  # 6-7: a charge of which the gateway knows nothing
        payment = sold()
        console.do("/_console/forget", payment_intent=payment.reference)
        differs("missing_charge", payment.reference, payment)
    for metadata in ({}, {"payment_id": str(new_id())}):  # 8-9: charges that are nobody's
        shown = console.do("/_console/charge", amount=700, currency="eur", metadata=metadata)
        differs("unknown_charge", shown["id"])
    for amount in (1000, 500):  # 10-11: charged twice, under our own name
        payment = sold()
        ours = {"payment_id": str(payment.pk), "order_id": str(payment.order_id)}
        shown = console.do("/_console/charge", amount=amount, currency="eur", metadata=ours)
        differs("unknown_charge", shown["id"], payment)
    nobodys = console.do("/_console/charge", amount=300, currency="eur")  # 12-13: and given back
    differs("unknown_charge", nobodys["id"])
    differs("unknown_refund", console.do("/_console/refund", payment_intent=nobodys["id"])["id"])
    payment = sold()  # 14: a refund that we believe in
    Refund.objects.create(
        payment=payment, amount_minor=1000, source="request", status="succeeded", reference="re_none",
        created_at=now(), settled_at=now(),
    )  # fmt: skip
    Payment.objects.filter(pk=payment.pk).update(status="refunded", refunded_minor=1000)
    differs("missing_refund", "re_none", payment)
    payment = sold()  # 15: a refund of another amount than ours
    refund = console.do("/_console/refund", payment_intent=payment.reference, amount=400)
    Refund.objects.create(
        payment=payment, amount_minor=300, source="request", status="succeeded", reference=refund["id"],
        created_at=now(), settled_at=now(),
    )  # fmt: skip
    differs("refund_amount_differs", refund["id"], payment)
    payment = authorized(console)  # 16: taken, as a bug of ours has it
    Payment.objects.filter(pk=payment.pk).update(status="captured", captured_minor=1000, settled_at=now())
    differs("status_differs", payment.reference, payment)
    payment = sold()  # 17: our row says less than was taken
    Payment.objects.filter(pk=payment.pk).update(amount_minor=900, captured_minor=900)
    differs("amount_differs", payment.reference, payment)
    payment = sold()  # 18: a fee that was booked otherwise
    [line] = console.rows("SELECT id, fee FROM balance_transactions WHERE intent_id = ?", payment.reference)
    with transaction.atomic():
        post(
            [
                fee_booking(
                    line_id=line["id"], payment_id=payment.pk, order_id=payment.order_id,
                    gateway=console.name, amount_minor=line["fee"] + 1, currency="EUR", occurred_at=now(),
                )
            ],
            now=now(),
        )  # fmt: skip
    differs("fee_differs", line["id"], payment)
    payment = sold()  # 19: a dispute of another amount than ours
    dispute = console.do("/_dispute", payment_intent=payment.reference)
    Dispute.objects.create(
        payment=payment, gateway=console.name, reference=dispute["id"], amount_minor=1, currency="EUR",
        opened_at=now(),
    )  # fmt: skip
    differs("amount_differs", dispute["id"], payment)
    payment = sold()  # 20: a dispute that the gateway has not
    Dispute.objects.create(
        payment=payment, gateway=console.name, reference="dp_none", amount_minor=1000, currency="EUR",
        opened_at=now(),
    )  # fmt: skip
    differs("missing_dispute", "dp_none", payment)
    sold()

    first = run(console)
    found = open_ones()
    second = run(console)

    assert len(planted) == 20
    assert found == planted
    assert open_ones() == planted
    assert (first.status, second.status) == ("finished", "finished")
    assert (first.exceptions, second.exceptions) == (20, 20)
    assert ReconciliationException.objects.count() == 20
    assert sum(share["items"] - share["explained"] for share in first.summary.values()) == 20
