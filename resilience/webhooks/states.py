"""The words of deliveries and endpoints, as they are stored and shown."""

from enum import StrEnum


class DeliveryState(StrEnum):
    """PENDING is tried until it is DELIVERED, or given up after three days: FAILED."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class DisabledReason(StrEnum):
    """Why an endpoint gets nothing: its owner said so, it answered 410, or nothing got through for days.

    DELETED is shown to nobody: its rows go piece by piece (resilience/webhooks/tasks.py).
    """

    DELETED = "deleted"
    OWNER = "owner"
    GONE = "gone"
    FAILING = "failing"
