"""Reconciliation over HTTP: what differs, page by page, and a person's word about it."""

from typing import Any

import pytest

from payments.models import ReconciliationException, ReconciliationRun
from payments.states import ExceptionKind
from payments.store import Difference, open_exceptions
from payments.store.runs import begin_run, write_run
from resilience.apikeys.cache import known_keys
from resilience.ids import new_id
from tests.api.foundation import assert_problem
from tests.api.shop import EVERYTHING, Shop
from tests.api.test_openapi_orders import assert_as_described
from tests.api.test_openapi_orders import document as document
from tests.ledger_kit import NOW

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "replica"])
PATH = "reconciliation/exceptions"
EXCEPTIONS = f"/api/v1/{PATH}"
RUNS = "/api/v1/reconciliation/runs"
PRIMARY = {"consistency_token": "primary, please"}


@pytest.fixture
def operator() -> Shop:
    known_keys.forget_all()
    return Shop(permissions=EVERYTHING)


def read(operator: Shop, path: str) -> Any:
    answer = operator.get(path, **PRIMARY)
    assert answer.status_code == 200, answer.content
    return answer.json()


def differ(*references: str) -> list[ReconciliationException]:
    for reference in references:
        found = Difference(
            "sandbox-1", ExceptionKind.MISSING_CHARGE, reference, "1000 EUR", "", occurred_at=NOW
        )
        open_exceptions([found], now=NOW)
    return list(ReconciliationException.objects.order_by("pk"))


def resolve(operator: Shop, exception_id: object, body: object) -> Any:
    return operator.post(f"{EXCEPTIONS}/{exception_id}/resolve", body)


def test_differences_are_listed_newest_first_page_by_page(operator: Shop, document: Any) -> None:
    first, second, third = differ("pi_1", "pi_2", "pi_3")

    page = read(operator, f"{EXCEPTIONS}?limit=2")
    rest = read(operator, f"{EXCEPTIONS}?limit=2&cursor={page['next_cursor']}")

    assert [row["id"] for row in page["data"]] == [str(third.pk), str(second.pk)]
    assert rest["next_cursor"] is None
    assert rest["data"] == [
        {
            "id": str(first.pk),
            "gateway": "sandbox-1",
            "kind": "missing_charge",
            "reference": "pi_1",
            "payment_id": None,
            "order_id": None,
            "ours": "1000 EUR",
            "theirs": "",
            "status": "open",
            "occurred_at": "2026-03-01T12:00:00Z",
            "first_seen_at": "2026-03-01T12:00:00Z",
            "last_seen_at": "2026-03-01T12:00:00Z",
            "resolved_at": None,
            "resolved_by": None,
            "resolution": None,
        }
    ]
    assert_as_described(document, operator.get(EXCEPTIONS, **PRIMARY), "get", PATH)


def test_a_person_resolves_a_difference_once(operator: Shop, document: Any) -> None:
    first, second = differ("pi_1", "pi_2")

    answer = resolve(operator, first.pk, {"note": "paid by bank transfer"})

    assert answer.status_code == 200
    resolved = answer.json()
    assert (resolved["status"], resolved["resolved_by"], resolved["resolution"]) == (
        "resolved", "shop", "paid by bank transfer",
    )  # fmt: skip
    assert_as_described(document, answer, "post", f"{PATH}/{{exception_id}}/resolve")
    assert [row["id"] for row in read(operator, f"{EXCEPTIONS}?status=open")["data"]] == [str(second.pk)]
    assert [row["id"] for row in read(operator, f"{EXCEPTIONS}?status=resolved")["data"]] == [str(first.pk)]
    assert_problem(resolve(operator, first.pk, {"note": "again"}), 409, "reconciliation_exception_resolved")
    assert_problem(resolve(operator, new_id(), {"note": "?"}), 404, "reconciliation_exception_not_found")
    first.refresh_from_db()
    assert first.resolution == "paid by bank transfer"


@pytest.mark.parametrize(
    "body", [{}, {"note": ""}, {"note": "x" * 2001}, {"note": 7}, {"note": "a", "by": "b"}]
)
def test_a_note_is_wanted_and_nothing_else(operator: Shop, body: object) -> None:
    [found] = differ("pi_1")

    assert_problem(resolve(operator, found.pk, body), 400, "validation_failed")

    found.refresh_from_db()
    assert found.resolved_at is None


def test_a_status_that_is_none_is_refused(operator: Shop) -> None:
    assert_problem(operator.get(f"{EXCEPTIONS}?status=new"), 400, "validation_failed")


def test_runs_say_how_much_is_explained(operator: Shop, document: Any) -> None:
    run_id = begin_run("sandbox-1", since=None, now=NOW)
    write_run(
        run_id,
        summary={"EUR": {"items": 3, "explained": 2, "amount_minor": 3000, "explained_minor": 2000}},
        lines=3, matched=2, booked=0, exceptions=1, under_way=0, accepted=0,
    )  # fmt: skip

    [shown] = read(operator, RUNS)["data"]

    assert shown["explained"] == [
        {
            "currency": "EUR",
            "items": 3,
            "explained": 2,
            "percent": "66.66",
            "amount": 3000,
            "explained_amount": 2000,
            "amount_percent": "66.66",
        }
    ]
    assert (shown["status"], shown["exceptions"], shown["error"]) == ("running", 1, None)
    assert_as_described(document, operator.get(RUNS, **PRIMARY), "get", "reconciliation/runs")
    assert ReconciliationRun.objects.count() == 1
