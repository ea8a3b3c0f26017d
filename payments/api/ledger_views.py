"""The ledger over HTTP: read only, since facts book themselves."""

from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from payments.api.shapes import MoneyShape
from payments.api.views import existing_payment
from payments.ledger.balances import Balance, StatementLine, balances, statement
from resilience.apikeys.authentication import principal_of
from resilience.rest.errors import invalid_field
from resilience.rest.openapi import CONSISTENCY_TOKEN
from resilience.rest.pagination import PARAMETERS, PageRequest, page_of_rows, read_page
from resilience.rest.query import query_parameters
from resilience.rest.timestamps import timestamp

_PAGE = [OpenApiParameter("cursor", str), OpenApiParameter("limit", int)]


class BalanceShape(serializers.Serializer[Any]):
    """What an account stands at: debit above zero, credit below."""

    account = serializers.CharField()
    balance = MoneyShape()


class BalancesShape(serializers.Serializer[Any]):
    """All accounts, now. `digest` is the end of the sealed chain; behind it, some are not sealed yet."""

    data = BalanceShape(many=True)  # type: ignore[assignment] # the name is the API's
    digest = serializers.CharField(allow_null=True)
    sealed_at = serializers.DateTimeField(allow_null=True)
    unsealed_transactions = serializers.IntegerField()


class LedgerEntryShape(serializers.Serializer[Any]):
    """One side of a booking: debit above zero, credit below.

    `source` names the money fact, `reverses` the one that it takes back. `balance` is what the same order
    or payment has moved on this account up to here; null in a list of many orders.
    """

    id = serializers.IntegerField()
    transaction_id = serializers.IntegerField()
    source = serializers.CharField()  # type: ignore[assignment] # the name is the API's
    kind = serializers.CharField()
    reverses = serializers.CharField(allow_null=True)
    gateway = serializers.CharField()
    order_id = serializers.UUIDField(allow_null=True)
    payment_id = serializers.UUIDField(allow_null=True)
    account = serializers.CharField()
    amount = MoneyShape()
    balance = MoneyShape(allow_null=True)
    occurred_at = serializers.DateTimeField()
    recorded_at = serializers.DateTimeField()


class LedgerEntryPage(serializers.Serializer[Any]):
    """Entries, the newest first."""

    data = LedgerEntryShape(many=True)  # type: ignore[assignment]
    next_cursor = serializers.CharField(allow_null=True)


class LedgerBalancesView(APIView):
    """The balances of all accounts."""

    required_permissions: ClassVar = {"GET": "ledger.read"}
    header_parameters: ClassVar = {"GET": [CONSISTENCY_TOKEN]}

    @extend_schema(operation_id="getLedgerBalances", responses={200: BalancesShape})
    def get(self, request: Request) -> Response:
        """Show what every account of the ledger stands at. The amounts of a currency sum to zero."""
        query_parameters(request, allowed=frozenset())
        found = balances()
        return Response(
            {
                "data": [_represent_balance(line) for line in found.lines],
                "digest": found.digest,
                "sealed_at": timestamp(found.sealed_at),
                "unsealed_transactions": found.unsealed_transactions,
            }
        )


class LedgerEntriesView(APIView):
    """The entries of the ledger."""

    required_permissions: ClassVar = {"GET": "ledger.read"}
    header_parameters: ClassVar = {"GET": [CONSISTENCY_TOKEN]}

    @extend_schema(
        operation_id="listLedgerEntries",
        responses={200: LedgerEntryPage},
        parameters=[
            OpenApiParameter("order_id", {"type": "string", "format": "uuid"}),
            OpenApiParameter("account", str, description="For example `receivable`."),
            *_PAGE,
        ],
    )
    def get(self, request: Request) -> Response:
        """List entries of the ledger, the newest first."""
        parameters = query_parameters(request, allowed=PARAMETERS | {"order_id", "account"})
        wanted = read_page(request, client=principal_of(request).client, parameters=parameters)
        lines = statement(
            order_id=_order_parameter(parameters),
            account=parameters.get("account"),
            before=_before(wanted),
            limit=wanted.rows_wanted,
        )
        return _page(lines, wanted)


class PaymentLedgerView(APIView):
    """The entries of one payment."""

    required_permissions: ClassVar = {"GET": "payments.read"}
    header_parameters: ClassVar = {"GET": [CONSISTENCY_TOKEN]}

    @extend_schema(
        operation_id="listPaymentLedgerEntries", responses={200: LedgerEntryPage}, parameters=_PAGE
    )
    def get(self, request: Request, payment_id: UUID) -> Response:
        """List what was booked for a payment, the newest first."""
        parameters = query_parameters(request, allowed=PARAMETERS)
        client = principal_of(request).client
        wanted = read_page(request, client=client, parameters=parameters)
        payment = existing_payment(client, payment_id)
        lines = statement(
            order_id=payment.order_id,
            payment_id=payment.pk,
            before=_before(wanted),
            limit=wanted.rows_wanted,
        )
        return _page(lines, wanted)


def _order_parameter(parameters: dict[str, str]) -> UUID | None:
    if "order_id" not in parameters:
        return None
    try:
        return UUID(parameters["order_id"])
    except ValueError as error:
        raise invalid_field("order_id", code="invalid", detail="Send the id of an order.") from error


def _before(wanted: PageRequest) -> int | None:
    return None if wanted.after is None else int(wanted.after)


def _page(lines: list[StatementLine], wanted: PageRequest) -> Response:
    return Response(
        page_of_rows(lines, wanted=wanted, represent=_represent_line, identify=lambda line: str(line.id))
    )


def _represent_balance(line: Balance) -> dict[str, Any]:
    return {"account": line.account, "balance": _money(line.balance_minor, line.currency)}


def _represent_line(line: StatementLine) -> dict[str, Any]:
    balance_minor = line.balance_minor
    return {
        "id": line.id,
        "transaction_id": line.transaction_id,
        "source": line.source,
        "kind": line.kind,
        "reverses": line.reverses_source,
        "gateway": line.gateway,
        "order_id": line.order_id,
        "payment_id": line.payment_id,
        "account": line.account,
        "amount": _money(line.amount_minor, line.currency),
        "balance": None if balance_minor is None else _money(balance_minor, line.currency),
        "occurred_at": timestamp(line.occurred_at),
        "recorded_at": timestamp(line.recorded_at),
    }


def _money(amount_minor: int, currency: str) -> dict[str, Any]:
    # Not Money: which way it flows is what a ledger says, so amounts may be negative.
    return {"amount": amount_minor, "currency": currency}
