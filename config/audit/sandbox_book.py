"""A sandbox's book, over HTTP: it shares no code with us, so that it is an independent witness."""

import json
from collections.abc import Iterator
from typing import Any

import httpx

from payments.audit.book import BookCharge, BookMovement, BookRefund, BookRequest
from payments.gateways.base import LineKind
from payments.gateways.stripe_amounts import iso_units

TIMEOUT_S = 20.0
# Two million rows of each kind. A book that is larger is no sandbox's, and would not fit into memory.
PAGES_MAX = 200

# Requests that move or hold money, as the sandbox names them.
_WRITES = frozenset({"create", "confirm", "capture", "cancel", "refund"})
_KINDS = {
    "charge": LineKind.CHARGE,
    "refund": LineKind.REFUND,
    "refund_failure": LineKind.REFUND_FAILED,
    "dispute": LineKind.DISPUTE,
    "dispute_reversal": LineKind.DISPUTE_WON,
}


class SandboxBook:
    """The book of the account `account`. Raises httpx.HTTPError when it cannot be read.

    Read refunds before charges: a refund that is seen then has its capture in the charges.
    """

    def __init__(self, *, account: str, http: httpx.Client) -> None:
        self._account = account
        self._http = http

    def is_there(self) -> bool:
        """Tell whether a sandbox answers here, and no other gateway."""
        paths = ("/_health", "/_book/summary?order_id=none")
        return all(self._http.get(path).status_code == httpx.codes.OK for path in paths)

    def refunds(self) -> Iterator[BookRefund]:
        """Yield the refunds that did not fail."""
        for row in self._rows("refunds"):
            if row["status"] != "failed":
                currency = row["currency"].upper()
                yield BookRefund(
                    account=self._account,
                    reference=row["id"],
                    charge_reference=row["intent_id"],
                    key=json.loads(row["metadata"]).get("operation_key", ""),
                    currency=currency,
                    amount_minor=iso_units(row["amount"], currency),
                )

    def movements(self) -> Iterator[BookMovement]:
        """Yield every movement of money."""
        for row in self._rows("movements"):
            currency = row["currency"].upper()
            yield BookMovement(
                account=self._account,
                id=row["id"],
                kind=_KINDS.get(row["reporting_category"], LineKind.OTHER),
                source=row["source"],
                charge_reference=row["intent_id"],
                currency=currency,
                amount_minor=iso_units(row["amount"], currency),
                fee_minor=iso_units(row["fee"], currency),
            )

    def requests(self) -> Iterator[BookRequest]:
        """Yield the requests of the API that move or hold money, whatever became of them."""
        for row in self._rows("requests"):
            if row["operation"] in _WRITES:
                yield BookRequest(
                    account=self._account,
                    operation=row["operation"],
                    key=row["idempotency_key"] or "",
                    path=row["path"],
                    body_hash=row["body_hash"],
                )

    def charges(self) -> Iterator[BookCharge]:
        """Yield the charges that were not declined."""
        for row in self._rows("charges"):
            if row["status"] == "succeeded":
                yield _charge(self._account, row)

    def _rows(self, name: str) -> Iterator[dict[str, Any]]:
        before = ""
        for _page in range(PAGES_MAX):
            answer = self._http.get(f"/_book/{name}", params={"before": before} if before else {})
            page = answer.raise_for_status().json()["data"]
            if not page:
                return
            yield from page
            before = str(page[-1]["seq"])
        raise httpx.HTTPError(f"/_book/{name} has more than {PAGES_MAX} pages")


def _charge(account: str, row: dict[str, Any]) -> BookCharge:
    sent_along = json.loads(row["metadata"])
    currency = row["currency"].upper()
    return BookCharge(
        account=account,
        reference=row["intent_id"],
        charge=row["id"],
        order_id=sent_along.get("order_id", ""),
        payment_id=sent_along.get("payment_id", ""),
        key=sent_along.get("operation_key", ""),
        currency=currency,
        captured_minor=iso_units(row["amount_captured"], currency),
        refunded_minor=iso_units(row["amount_refunded"], currency),
        is_open=row["intent_status"] == "requires_capture" and row["captured_at"] is None,
    )
