"""All that happened to an order, its payments, its sagas and its webhooks, in order of time."""

from uuid import UUID

from payments.public import timeline_of
from resilience.timeline import Entry, Window, event_entries, saga_entries
from resilience.webhooks.timeline import delivery_entries


def timeline(order_id: UUID, *, window: Window) -> list[Entry]:
    """Return the entries of an order within `window`: at least the first five hundred, or all that there are.

    A dozen statements, however many payments, refunds and sagas the order has.
    """
    of_payments = timeline_of(order_ids=[order_id], window=window)
    return window.merge(
        of_payments.entries,
        saga_entries(business_keys=[order_id, *of_payments.business_keys], window=window),
        event_entries(aggregates={"order": [order_id], "payment": of_payments.payment_ids}, window=window),
        delivery_entries(aggregate_ids=[order_id, *of_payments.payment_ids], window=window),
    )
