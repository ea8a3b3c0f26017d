"""Money that is not where it should be yet: in doubt, on its way back, disputed, or unexplained."""

from typing import Any

from django.http import HttpRequest

from config.dashboard.page import OPERATE, page
from payments.admin.ledger import signed
from payments.ledger.balances import balances
from payments.models import Dispute, Payment, ReconciliationException, Refund
from payments.money import Money
from payments.states import RefundStatus
from resilience import clock

# As many as an act takes at once.
_SHOWN = 50


@page("dashboard/money.html", title="Money in doubt", permission="payments.view_payment")
def money_view(request: HttpRequest) -> dict[str, Any]:
    """Return what of the money is open, the oldest first, as the primary knows it."""
    doubtful = Payment.objects.using("default").filter(in_doubt_since__isnull=False)
    refunds = Refund.objects.using("default").filter(status=RefundStatus.PENDING).select_related("payment")
    disputes = Dispute.objects.using("default").filter(closed_at=None).select_related("payment")
    exceptions = ReconciliationException.objects.using("default").filter(resolved_at=None)
    ledger = balances()
    return {
        "doubtful": [
            {"row": one, "amount": Money(one.amount_minor, one.currency)}
            for one in doubtful.order_by("in_doubt_since")[:_SHOWN]
        ],
        "refunds": [
            {"row": one, "amount": Money(one.amount_minor, one.payment.currency)}
            for one in refunds.order_by("created_at")[:_SHOWN]
        ],
        "disputes": [
            {"row": one, "amount": Money(one.amount_minor, one.currency)}
            for one in disputes.order_by("opened_at")[:_SHOWN]
        ],
        "exceptions": exceptions.order_by("first_seen_at")[:_SHOWN],
        "balances": [(line.account, signed(line.balance_minor, line.currency)) for line in ledger.lines],
        "ledger": ledger,
        "shown": _SHOWN,
        "may_act": request.user.has_perm(OPERATE),
        "now": clock.now(),
    }
