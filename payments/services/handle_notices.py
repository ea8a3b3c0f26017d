"""Handle notices of gateways: find the payment that each is about, and have it looked at again.

The danger: notices come twice, late and in any order, and whoever copies them into a payment moves it
backward. So a notice is never a fact here: it says where to look, and the gateway is asked then.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from payments import notice_store
from payments.gateways.notices import is_about_a_charge
from payments.notice_store import KnownPayment, NoticeChange, OpenNotice
from payments.services.look_again import Observe, Observed, look_again
from payments.services.reflection import reflects
from payments.states import SETTLED, NoticeStatus

# Stripe tells for three days; a payment that is not known by then is another system's.
WAITS_AT_MOST = timedelta(days=3)

# What can only follow a capture, even one whose answer is not written yet.
_AFTER_THE_CAPTURE = ("charge.dispute.", "charge.refund", "refund.")

_NO_CHARGE = "events of this type are about no charge of ours"
_NOT_KNOWN = "no payment is known under this reference"
_NOBODYS = "nobody's for three days"
_LOOKED_AT = "the payment was looked at again"
_REFLECTED = "the payment says as much already"


@dataclass(frozen=True)
class Handled:
    """What became of some notices; those of which something final was made before are in none."""

    applied: int = 0
    waiting: int = 0
    ignored: int = 0

    def __add__(self, other: "Handled") -> "Handled":
        return Handled(
            self.applied + other.applied, self.waiting + other.waiting, self.ignored + other.ignored
        )


@transaction.atomic
def handle_notices(*, notice_ids: Sequence[UUID], now: datetime, observe: Observe) -> Handled:
    """Make something of those of these notices of which nothing final was made yet, once each.

    Writes to the database only. Two handlers of one notice wait for each other, and the second finds
    nothing to do.
    """
    notices = notice_store.lock_open(notice_ids)
    # Only now: a payment that became known before the lock is seen.
    payments = notice_store.payments_of([one for one in notices if is_about_a_charge(one.type)])
    changes = [judge_notice(notice, payments.get(notice.id), now=now) for notice in notices]
    notice_store.write(changes, now=now)
    look_again(
        observed=[_observed(notice, payments[notice.id]) for notice in notices if notice.id in payments],
        observe=observe,
    )
    return _counted(changes)


def judge_notice(notice: OpenNotice, payment: KnownPayment | None, *, now: datetime) -> NoticeChange:
    """Return what is to be made of a notice, given the payment that it is about. Pure."""
    if not is_about_a_charge(notice.type):
        return NoticeChange(notice.id, notice.status, NoticeStatus.IGNORED, _NO_CHARGE)
    if payment is not None:
        detail = _REFLECTED if reflects(payment, notice) else _LOOKED_AT
        return NoticeChange(notice.id, notice.status, NoticeStatus.APPLIED, detail, payment.id)
    if now - notice.received_at > WAITS_AT_MOST:
        return NoticeChange(notice.id, notice.status, NoticeStatus.IGNORED, _NOBODYS)
    return NoticeChange(notice.id, notice.status, NoticeStatus.WAITING, _NOT_KNOWN)


def _observed(notice: OpenNotice, payment: KnownPayment) -> Observed:
    return Observed(
        payment_id=payment.id,
        order_id=payment.order_id,
        notice_id=notice.id,
        gateway=notice.gateway,
        reference=notice.reference or payment.reference,
        is_reflected=reflects(payment, notice),
        is_beyond_sagas=payment.status in SETTLED or notice.type.startswith(_AFTER_THE_CAPTURE),
    )


def _counted(changes: Sequence[NoticeChange]) -> Handled:
    statuses = [change.status for change in changes]
    return Handled(
        applied=statuses.count(NoticeStatus.APPLIED),
        waiting=statuses.count(NoticeStatus.WAITING),
        ignored=statuses.count(NoticeStatus.IGNORED),
    )
