"""Reserve the money of every tender of an order."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from payments import store
from payments.flags import FAILOVER
from payments.gateways.base import Authorize
from payments.gateways.registry import accounts
from payments.gateways.routing import Account, next_account, route
from payments.states import OperationKind, PaymentStatus
from payments.steps import remote_step
from payments.steps.exchange import Exchange, Mode
from payments.steps.remote_step import Ended, Intents, Standing
from payments.steps.unsettled import why_not_authorized
from payments.tenders import LiveOperation, Tender
from resilience.saga.definition import Call, Run
from resilience.saga.outcomes import Outcome, Refused, Waiting

_OPEN = (PaymentStatus.PENDING, PaymentStatus.REQUIRES_ACTION, PaymentStatus.PROCESSING)
# Captured: a delayed method; or by hand, at the gateway, before we looked.
_STANDING = (PaymentStatus.AUTHORIZED, PaymentStatus.CAPTURED)
# A tender that waits (for a payer, for days) holds up the capture of those beside it. What they hold is let
# go this long before it lapses, so that a slow gateway can still be asked in time.
LAPSE_MARGIN = timedelta(hours=6)
# Why an order ends whose authorized money lapses while another tender keeps it waiting.
AUTHORIZATION_LAPSES = "authorization_lapses"
# Why a tender cannot be authorized that no configured account takes.
NO_GATEWAY = "payment_method_not_supported"


class AuthorizePayments:
    """A saga step keyed by order id: all tenders are authorized, or the step is refused or retried."""

    def prepare(self, runs: Sequence[Run]) -> Mapping[UUID, Sequence[Call]]:
        """Write an intent for each tender that is not authorized yet; one that was declined stays so."""
        tenders = store.lock_tenders([run.key for run in runs])
        refusals = store.refusals_of(
            [tender.id for of_order in tenders.values() for tender in of_order if _was_moved_on(tender)]
        )
        intents = Intents(runs[0].now)
        calls = {run.id: _calls(intents, tenders[run.key], refusals) for run in runs}
        intents.write()
        return calls

    def record(self, runs: Sequence[Run], answers: Mapping[UUID, Sequence[object]]) -> Mapping[UUID, Outcome]:
        """Write what the gateway said of each tender."""
        outcomes = remote_step.record(runs, answers)
        return {run.id: _bounded(outcomes[run.id], answers.get(run.id, ()), now=run.now) for run in runs}

    def unsettled(self, run: Run) -> str:
        """Say why a person may not take this as done."""
        return why_not_authorized(run)


def authorization(tender: Tender, key: str) -> Authorize:
    """Return the request that reserves the amount of `tender`."""
    return Authorize(
        key=key,
        order_id=tender.order_id,
        payment_id=tender.id,
        amount_minor=tender.amount_minor,
        currency=tender.currency,
        method=tender.method,
        method_type=tender.method_type,
        reference=tender.reference,
    )


def _calls(
    intents: Intents, tenders: Sequence[Tender], refusals: Mapping[UUID, frozenset[str]]
) -> list[Call]:
    asked: list[Call] = [
        _call(intents, tender, refusals.get(tender.id, frozenset()))
        for tender in tenders
        if tender.status not in _STANDING
    ]
    if not asked:
        return []
    # What is captured meanwhile (by hand, at the gateway) lapses no more.
    held = [
        Standing(tender.capture_before)
        for tender in tenders
        if tender.capture_before and tender.status is PaymentStatus.AUTHORIZED
    ]
    return [*asked, *held]


def _call(intents: Intents, tender: Tender, refused_by: frozenset[str]) -> Call:
    if tender.status not in _OPEN:
        return Ended(tender.decline_code)
    routed = route(accounts(), currency=tender.currency, method_type=tender.method_type, payment_id=tender.id)
    live = tender.live_of(OperationKind.AUTHORIZE)
    if live:
        return _again(intents, tender, live, routed, refused_by)
    if not routed:
        return Ended(NO_GATEWAY)
    account = tender.gateway or routed[0].name
    exchange = intents.first(
        tender,
        OperationKind.AUTHORIZE,
        tender.amount_minor,
        lambda key: authorization(tender, key),
        account=account,
    )
    return _with_fallback(exchange, routed, refused_by)


def _again(
    intents: Intents,
    tender: Tender,
    live: LiveOperation,
    routed: Sequence[Account],
    refused_by: frozenset[str],
) -> Exchange:
    mode = Mode.LOOK if tender.is_waiting_for_payer else Mode.ASK
    exchange = intents.again_for(tender, live, mode, lambda key: authorization(tender, key))
    return _with_fallback(exchange, routed, refused_by)


def _with_fallback(exchange: Exchange, routed: Sequence[Account], refused_by: frozenset[str]) -> Exchange:
    """Name who is asked if this account provably did nothing; nobody once a payer was asked to act."""
    name = exchange.operation.gateway
    following = next_account(routed, after=name, without=refused_by)
    is_free = exchange.tender.status is PaymentStatus.PENDING and FAILOVER.is_on()
    if following is None or not is_free:
        return exchange
    fails_over_on = next((account.fails_over_on for account in routed if account.name == name), frozenset())
    return replace(exchange, fallback=following.name, fails_over_on=fails_over_on)


def _was_moved_on(tender: Tender) -> bool:
    """Tell whether an account before this one may have refused: only then its history is worth a read."""
    return tender.status is PaymentStatus.PENDING and bool(tender.gateway)


def _bounded(outcome: Outcome, answers: Sequence[object], *, now: datetime) -> Outcome:
    """Let an order not wait longer than the money that is held for it holds."""
    ends = [answer.capture_before for answer in answers if isinstance(answer, Standing)]
    if not isinstance(outcome, Waiting) or not ends:
        return outcome
    last_moment = min(ends) - LAPSE_MARGIN
    if last_moment <= now:
        return Refused(AUTHORIZATION_LAPSES)
    return replace(outcome, until=min(outcome.until, last_moment))
