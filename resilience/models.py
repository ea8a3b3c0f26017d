"""The rows of every tool, where Django looks for them."""

from resilience.apikeys.models import ApiKey
from resilience.audit.models import AuditRun
from resilience.audit_trail.models import AuditTrail, StaffAction
from resilience.breaker.models import BreakerOverride, BreakerOverrideChange, BreakerTransition
from resilience.events.models import (
    DeadLetter,
    EventReplay,
    EventStream,
    InboxEntry,
    LoggedEvent,
    SubscriptionChange,
    SubscriptionState,
)
from resilience.flags.models import FlagChange, FlagExposure, FlagGuard
from resilience.idempotency.models import IdempotencyRecord
from resilience.routing.models import PrimaryTimeline
from resilience.saga.models import OperatorAction, Saga, SagaStep
from resilience.telemetry.models import Metric10s, MetricHour, MetricMinute, MetricTotal, MetricWriter
from resilience.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint

__all__ = [
    "ApiKey",
    "AuditRun",
    "AuditTrail",
    "BreakerOverride",
    "BreakerOverrideChange",
    "BreakerTransition",
    "DeadLetter",
    "EventReplay",
    "EventStream",
    "FlagChange",
    "FlagExposure",
    "FlagGuard",
    "IdempotencyRecord",
    "InboxEntry",
    "LoggedEvent",
    "Metric10s",
    "MetricHour",
    "MetricMinute",
    "MetricTotal",
    "MetricWriter",
    "OperatorAction",
    "PrimaryTimeline",
    "Saga",
    "SagaStep",
    "StaffAction",
    "SubscriptionChange",
    "SubscriptionState",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
]
