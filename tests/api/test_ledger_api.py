"""The ledger as its readers see it: balances, pages of entries, and what was booked for one payment."""

from typing import Any
from uuid import UUID

import pytest

from payments.ledger import sealing
from payments.models import LedgerSeal
from resilience.apikeys.cache import known_keys
from resilience.ids import new_id
from tests.api.foundation import assert_problem
from tests.api.shop import EVERYTHING, PAYMENTS, Shop
from tests.api.test_openapi_orders import assert_as_described
from tests.api.test_openapi_orders import document as document
from tests.events_kit import wait_until
from tests.ledger_kit import CLEARING, NOW, Sale, post_committed

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "replica"])
BALANCES = "/api/v1/ledger/balances"
ENTRIES = "/api/v1/ledger/entries"
PRIMARY = {"consistency_token": "primary, please"}


@pytest.fixture
def reader() -> Shop:
    known_keys.forget_all()
    return Shop(permissions=EVERYTHING)


def read(reader: Shop, path: str) -> Any:
    answer = reader.get(path, **PRIMARY)
    assert answer.status_code == 200, answer.content
    return answer.json()


def euros(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "EUR"}


def refunded_sale() -> tuple[Sale, UUID]:
    sale, refund_id = Sale(1000), new_id()
    sale.as_payment(refunded_minor=300)
    post_committed(sale.captured())
    post_committed(sale.refunded(refund_id, 300))
    return sale, refund_id


def test_an_empty_ledger(reader: Shop) -> None:
    assert read(reader, BALANCES) == {
        "data": [],
        "digest": None,
        "sealed_at": None,
        "unsealed_transactions": 0,
    }
    assert read(reader, ENTRIES) == {"data": [], "next_cursor": None}


def test_balances_are_the_same_before_and_after_sealing(reader: Shop) -> None:
    refunded_sale()
    post_committed(Sale(5, currency="USD").captured())
    lines = [
        {"account": CLEARING, "balance": euros(700)},
        {"account": CLEARING, "balance": {"amount": 5, "currency": "USD"}},
        {"account": "receivable", "balance": euros(-1000)},
        {"account": "receivable", "balance": {"amount": -5, "currency": "USD"}},
        {"account": "refunds", "balance": euros(300)},
    ]

    before = read(reader, BALANCES)
    wait_until(lambda: sealing.run_once(now=NOW) == 3)
    after = read(reader, BALANCES)
    post_committed(Sale(1).captured())
    later = read(reader, BALANCES)

    assert before == {"data": lines, "digest": None, "sealed_at": None, "unsealed_transactions": 3}
    seal = {"digest": LedgerSeal.objects.get().digest, "sealed_at": "2026-03-01T12:00:00Z"}
    assert after == {"data": lines, **seal, "unsealed_transactions": 0}
    assert later["unsealed_transactions"] == 1
    assert later["data"][0] == {"account": CLEARING, "balance": euros(701)}


def test_an_order_has_a_running_balance(reader: Shop) -> None:
    sale, refund_id = refunded_sale()
    post_committed(Sale(7).captured())

    page = read(reader, f"{ENTRIES}?order_id={sale.order_id}")

    assert [(line["source"], line["account"], line["amount"], line["balance"]) for line in page["data"]] == [
        (f"refund:{refund_id}", CLEARING, euros(-300), euros(700)),
        (f"refund:{refund_id}", "refunds", euros(300), euros(300)),
        (f"capture:{sale.payment_id}", "receivable", euros(-1000), euros(-1000)),
        (f"capture:{sale.payment_id}", CLEARING, euros(1000), euros(1000)),
    ]
    first = {name: value for name, value in page["data"][-1].items() if name not in ("id", "transaction_id")}
    assert first == {
        "source": f"capture:{sale.payment_id}",
        "kind": "captured",
        "reverses": None,
        "gateway": "sandbox-1",
        "order_id": str(sale.order_id),
        "payment_id": str(sale.payment_id),
        "account": CLEARING,
        "amount": euros(1000),
        "balance": euros(1000),
        "occurred_at": "2026-03-01T12:00:00Z",
        "recorded_at": "2026-03-01T12:00:00Z",
    }


def test_pages_neither_skip_nor_repeat_and_keep_the_running_balance(reader: Shop) -> None:
    sale, _refund_id = refunded_sale()
    whole = read(reader, f"{ENTRIES}?order_id={sale.order_id}")["data"]

    pages: list[Any] = []
    address = query = f"{ENTRIES}?order_id={sale.order_id}&limit=3"
    while True:
        page = read(reader, address)
        pages.append(page["data"])
        if page["next_cursor"] is None:
            break
        address = f"{query}&cursor={page['next_cursor']}"

    assert [len(data) for data in pages] == [3, 1]
    assert [line for data in pages for line in data] == whole


def test_an_account_is_listed_over_all_orders(reader: Shop) -> None:
    for amount in (1, 2, 3):
        post_committed(Sale(amount).captured())

    page = read(reader, f"{ENTRIES}?account=receivable&limit=2")

    assert [(line["amount"], line["balance"]) for line in page["data"]] == [
        (euros(-3), None),
        (euros(-2), None),
    ]
    assert page["next_cursor"] is not None
    assert read(reader, f"{ENTRIES}?account=nothing")["data"] == []


def test_a_reversal_names_its_original(reader: Shop) -> None:
    sale, refund_id = refunded_sale()
    post_committed(sale.refund_failed(refund_id, 300))

    newest = read(reader, f"{ENTRIES}?order_id={sale.order_id}")["data"][0]

    assert (newest["kind"], newest["reverses"]) == ("refund_failed", f"refund:{refund_id}")


def test_a_payments_own_client_reads_what_was_booked_for_it(reader: Shop) -> None:
    sale, _refund_id = refunded_sale()
    of_same_order = Sale(5, order_id=sale.order_id)
    of_same_order.as_payment(position=1)
    post_committed(of_same_order.captured())

    page = read(Shop(), f"{PAYMENTS}/{sale.payment_id}/ledger")

    assert {line["payment_id"] for line in page["data"]} == {str(sale.payment_id)}
    assert len(page["data"]) == 4
    assert read(Shop(), f"{PAYMENTS}/{of_same_order.payment_id}/ledger")["data"][0]["balance"] == euros(-5)


def test_another_clients_payment_has_no_ledger(reader: Shop) -> None:
    sale, _refund_id = refunded_sale()

    for payment_id in (sale.payment_id, new_id()):
        answer = Shop(client="other").get(f"{PAYMENTS}/{payment_id}/ledger", **PRIMARY)
        assert_problem(answer, 404, "payment_not_found")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"{BALANCES}?currency=EUR", "invalid_query"),
        (f"{ENTRIES}?payment_id=1", "invalid_query"),
        (f"{ENTRIES}?account=", "invalid_query"),
        (f"{ENTRIES}?order_id=1", "validation_failed"),
        (f"{ENTRIES}?limit=0", "validation_failed"),
        (f"{ENTRIES}?cursor=7", "invalid_cursor"),
        (f"{PAYMENTS}/00000000-0000-7000-8000-000000000000/ledger?account=fees", "invalid_query"),
    ],
)
def test_what_cannot_be_read_is_refused(reader: Shop, path: str, code: str) -> None:
    assert_problem(reader.get(path, **PRIMARY), 400, code)


def test_the_document_describes_what_is_answered(reader: Shop, document: dict[str, Any]) -> None:
    sale, refund_id = refunded_sale()
    post_committed(sale.refund_failed(refund_id, 300))

    for path, template in (
        (BALANCES, "ledger/balances"),
        (ENTRIES, "ledger/entries"),
        (f"{ENTRIES}?order_id={sale.order_id}&limit=1", "ledger/entries"),
        (f"{PAYMENTS}/{sale.payment_id}/ledger", "payments/{payment_id}/ledger"),
    ):
        assert_as_described(document, reader.get(path, **PRIMARY), "get", template)
