"""Take a notice of a gateway: store it once, and tell that it came."""

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from payments import notice_store
from payments.events import GatewayNotified
from payments.gateways.notices import read_notice
from payments.gateways.redaction import redacted
from resilience.events import Fact, append


def take_notice(*, gateway: str, document: Mapping[str, object], now: datetime) -> bool:
    """Store an event of `gateway` and publish `gateway.notified`; return False when it is known.

    When this returns, the event is durable, by us or by whoever stored it at the same moment.
    Raises InvalidRequest when it has not the shape of an event.
    """
    notice = read_notice(document)
    with transaction.atomic():
        notice_id = notice_store.insert(
            gateway=gateway,
            event_id=notice.event_id,
            type=notice.type,
            reference=notice.reference,
            body=redacted(document, type_=notice.type),
            now=now,
        )
        if notice_id is None:
            return False
        told = GatewayNotified(notice_id, gateway, notice.type, notice.reference)
        append([Fact(notice_id, told)], occurred_at=now)
    return True
