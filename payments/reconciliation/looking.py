"""Ask the gateway about a charge that differs, and book what it shows: one read judges nobody."""

import logging
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction

from payments.errors import GatewaySilentError, TooManyDifferencesError
from payments.gateways.base import Absent, Gateway, InDoubt, NotSent, Observation, Throttled
from payments.ledger.posting import OriginalNotBookedError
from payments.models import Payment
from payments.sagas import start_refund
from payments.steps.booking import Booked, book_what_is_seen
from payments.steps.facts import Contradiction
from payments.store import IllegalTransitionError
from payments.store.runs import keep_run

logger = logging.getLogger(__name__)

# Of one run: three calls each, so a minute at a fast gateway. Where more differs, something is wrong as a
# whole (another account's key, a wiped book); the next run goes on behind what this one has found.
LOOKS_MAX = 2_000


@dataclass(frozen=True)
class Looked:
    """What a look at one charge brought. `seen` is None when the gateway does not show it, or not readably.

    `payment_id`, `order_id`: the payment of ours that it is, or says it is.
    """

    seen: Observation | None = None
    booked: int = 0
    unsettled: str = ""
    contradiction: Contradiction | None = None
    payment_id: UUID | None = None
    order_id: UUID | None = None
    trouble: str = ""


class Looks:
    """The looks of one run; each charge is asked about once."""

    def __init__(self, gateway: Gateway, *, run_id: UUID, now: datetime) -> None:
        self._gateway = gateway
        self._run_id = run_id
        self._now = now
        self._looked: dict[str, Looked] = {}
        self.booked = 0

    def at(self, reference: str) -> Looked:
        """Return what the gateway shows of `reference`, having booked what was not.

        Raises GatewaySilentError, TooManyDifferencesError, ReconciliationTakenOverError. Holds no
        transaction while it asks.
        """
        if reference not in self._looked:
            if len(self._looked) == LOOKS_MAX:
                raise TooManyDifferencesError(f"More than {LOOKS_MAX} charges differ; the next run goes on.")
            keep_run(self._run_id)
            self._looked[reference] = self._look(reference)
            self.booked += self._looked[reference].booked
        return self._looked[reference]

    def _look(self, reference: str) -> Looked:
        match self._gateway.observe(reference):
            case Absent():
                return Looked()
            case InDoubt(error):
                return Looked(trouble=error)
            case NotSent(error):
                raise GatewaySilentError(
                    f"{self._gateway.name} could not be asked about {reference}: {error}"
                )
            case Throttled():
                raise GatewaySilentError(f"{self._gateway.name} has no time for {reference}. Try later.")
            case Observation() as seen:
                return self._book(seen)

    def _book(self, seen: Observation) -> Looked:
        payment = _payment_of(self._gateway.name, seen)
        if payment is None:
            return Looked(seen)
        try:
            with transaction.atomic():
                booked = book_what_is_seen(
                    payment.pk, seen, gateway=self._gateway.name, start_refund=start_refund, now=self._now
                )
        except (IntegrityError, IllegalTransitionError, OriginalNotBookedError) as error:
            # Rows that a bug has left so: one payment more to name, not the end of all reconciliation.
            logger.exception("What a gateway shows cannot be booked.", extra={"payment_id": str(payment.pk)})
            return Looked(
                seen, payment_id=payment.pk, order_id=payment.order_id, trouble=f"cannot be booked: {error}"
            )
        return _looked(seen, booked, payment)


def _payment_of(gateway: str, seen: Observation) -> Payment | None:
    """Return the payment that has the charge, else the one that the charge names."""
    known = Payment.objects.using("default").filter(gateway=gateway, reference=seen.reference)
    payment = known.order_by("-captured_minor", "pk").first()
    if payment is None and seen.payment_id is not None:
        payment = Payment.objects.using("default").filter(pk=seen.payment_id).first()
    return payment


def _looked(seen: Observation, booked: Booked, payment: Payment) -> Looked:
    contradictions = [fact for fact in booked.facts if isinstance(fact, Contradiction)]
    return Looked(
        seen,
        booked=len(booked.facts) - len(contradictions) - bool(booked.held_reference),
        unsettled=booked.unsettled,
        contradiction=contradictions[0] if contradictions else None,
        payment_id=payment.pk,
        order_id=payment.order_id,
    )
