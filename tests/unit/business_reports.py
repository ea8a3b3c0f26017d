"""Questions of the business page, and what a report answered."""

from datetime import UTC, datetime
from typing import Any

from django.http import QueryDict

from analytics.reports.definitions import REPORTS
from config.dashboard.business.asked import PARAMETERS, Question, parameters_of, question_of
from config.dashboard.business.found import Found

NOON = datetime(2026, 3, 11, 12, tzinfo=UTC)


def asked(query: str = "", *, report: str = "revenue", now: datetime = NOON) -> Question:
    parameters = parameters_of(QueryDict(query), allowed=PARAMETERS)
    return question_of(parameters, report=REPORTS[report], now=now)


def eur(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "EUR"}


def yen(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "JPY"}


def sold(period: str, revenue: dict[str, Any], *, orders: int = 2, sales: int = 1) -> dict[str, Any]:
    """Return a row of the report `revenue`."""
    return {
        "period": period, "currency": revenue["currency"], "orders": orders, "sales": sales,
        "revenue": revenue, "refunded": {**revenue, "amount": 0}, "average_sale": revenue,
    }  # fmt: skip


def found(
    rows: list[dict[str, Any]], before: list[dict[str, Any]] | None = None, *, query: str = "",
    report: str = "revenue",
) -> Found:  # fmt: skip
    comparison = None if before is None else {"data": before}
    return Found.of({"data": rows, "comparison": comparison}, asked(query, report=report).asked)
