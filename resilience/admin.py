"""What operators see of the tools. Stored answers are not here: Django's admin takes no composite key."""

from django.contrib import admin

from resilience.apikeys.models import ApiKey
from resilience.audit.models import RUNNING, AuditRun
from resilience.audit_trail.models import AuditTrail
from resilience.breaker import BreakerState, Force
from resilience.breaker.models import BreakerOverride, BreakerOverrideChange, BreakerTransition
from resilience.events import event_types, subscriptions
from resilience.events.models import DeadLetter, LoggedEvent, SubscriptionChange, SubscriptionState
from resilience.flags.models import FlagChange, FlagGuard
from resilience.read_only_admin import ReadOnlyAdmin, ReadOnlyInline, filter_by
from resilience.saga.models import OperatorAction, Saga, SagaStep
from resilience.saga.registry import UnknownDefinitionError, definition_of, definitions
from resilience.saga.states import SagaStatus
from resilience.webhooks.models import WebhookDelivery, WebhookEndpoint
from resilience.webhooks.states import DeliveryState


class SagaStepInline(ReadOnlyInline):
    """The end of the step log."""

    model = SagaStep
    fields = (
        "step",
        "direction",
        "attempt",
        "outcome",
        "error",
        "delay_s",
        "fence",
        "started_at",
        "finished_at",
    )


class OperatorActionInline(ReadOnlyInline):
    """What people did to it."""

    model = OperatorAction
    fields = ("action", "step", "operator", "reason", "at")


@admin.register(Saga)
class SagaAdmin(ReadOnlyAdmin):
    """Sagas, the newest first."""

    acts = (
        ("saga-retry", "Try again now"),
        ("saga-compensate", "Turn round and undo"),
        ("saga-resolve", "Take the step as settled"),
    )
    not_listed = ("data",)
    list_display = (
        "id",
        "definition",
        "business_key",
        "status",
        "step",
        "attempt",
        "waits",
        "due_at",
        "lease_owner",
        "created_at",
        "ended_at",
    )
    list_filter = (
        filter_by("status", lambda: list(SagaStatus)),
        filter_by("definition", lambda: sorted({definition.name for definition in definitions()})),
        "abort_requested",
    )
    search_fields = ("id", "business_key")
    ordering = ("-id",)
    inlines = (SagaStepInline, OperatorActionInline)

    @admin.display(description="step")
    def step(self, saga: Saga) -> str:
        """Return the name of the step it stands at; its number when this process does not know it."""
        try:
            return definition_of(saga.definition, saga.version).steps[saga.cursor].name
        except (UnknownDefinitionError, IndexError):
            return f"step {saga.cursor}"


@admin.register(LoggedEvent)
class LoggedEventAdmin(ReadOnlyAdmin):
    """The event log, the newest first."""

    not_listed = ("payload",)
    list_display = ("id", "type", "version", "aggregatetype", "aggregateid", "sequence", "occurred_at")
    list_filter = (filter_by("type", lambda: sorted({event.name for event in event_types()})),)
    search_fields = ("id", "aggregateid")
    ordering = ("-xid", "-position")


@admin.register(SubscriptionState)
class SubscriptionStateAdmin(ReadOnlyAdmin):
    """How far each subscription has read."""

    list_display = (
        "name",
        "lane",
        "lanes",
        "position_xid",
        "position",
        "handled",
        "paused",
        "attempts",
        "retry_at",
        "error",
        "updated_at",
    )
    list_filter = ("paused",)
    search_fields = ("name",)
    ordering = ("name", "lane")


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnlyAdmin):
    """Events that a subscription gave up on, the newest first."""

    acts = (("dead-letter-redeliver", "Redeliver"),)
    not_listed = ("payload",)
    list_display = (
        "id",
        "subscription",
        "type",
        "aggregateid",
        "attempts",
        "error",
        "died_at",
        "redelivered_at",
    )
    list_filter = (
        filter_by("subscription", lambda: sorted(subscription.name for subscription in subscriptions())),
        ("redelivered_at", admin.EmptyFieldListFilter),
    )
    search_fields = ("id", "event_id", "aggregateid")
    ordering = ("-died_at",)


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """Keys of clients, without their hashes: those are for comparing, not for looking at."""

    list_display = (
        "client",
        "name",
        "shown_prefix",
        "rate_per_s",
        "burst",
        "created_at",
        "expires_at",
        "revoked_at",
    )
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    search_fields = ("client", "name", "prefix")
    ordering = ("client", "name", "-created_at")
    exclude = ("secret_sha256",)

    @admin.display(description="key")
    def shown_prefix(self, key: ApiKey) -> str:
        """Return the part of the key that names it."""
        return f"hf_{key.prefix}_…"


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ReadOnlyAdmin):
    """Receivers of clients, without their secrets."""

    acts = (("endpoint-disable", "Turn off"), ("endpoint-enable", "Turn on"))
    list_display = ("client", "url", "failures_in_row", "failing_since", "paused_until", "disabled_reason")
    list_filter = (("disabled_at", admin.EmptyFieldListFilter), ("failing_since", admin.EmptyFieldListFilter))
    search_fields = ("client", "url")
    ordering = ("client", "url")
    exclude = ("secret", "secrets_before")


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    """What goes to receivers, the newest first."""

    acts = (("delivery-send", "Send again"),)
    not_listed = ("body",)
    list_display = ("id", "endpoint_id", "type", "state", "attempts", "due_at", "created_at", "settled_at")
    list_filter = (filter_by("state", lambda: list(DeliveryState)),)
    search_fields = ("id", "event_id", "aggregate_id")
    ordering = ("-id",)


@admin.register(SubscriptionChange)
class SubscriptionChangeAdmin(ReadOnlyAdmin):
    """What operators did to subscriptions, and why, the newest first."""

    list_display = ("at", "subscription", "change", "by", "reason")
    search_fields = ("subscription", "by")
    ordering = ("-at",)


@admin.register(FlagChange)
class FlagChangeAdmin(ReadOnlyAdmin):
    """What was done to switches and flags, by whom and why, the newest first."""

    list_display = ("at", "name", "change", "by", "reason")
    search_fields = ("name", "by")
    ordering = ("-at",)


@admin.register(AuditTrail)
class AuditTrailAdmin(ReadOnlyAdmin):
    """Who did what to what, and why, the newest first: people, and the guards of flags."""

    list_display = ("at", "by", "action", "subject", "outcome", "reason", "area")
    list_filter = (filter_by("area", lambda: ["saga", "breaker", "flag", "subscription", "staff"]),)
    search_fields = ("subject", "by", "action")
    ordering = ("-at",)


@admin.register(FlagGuard)
class FlagGuardAdmin(ReadOnlyAdmin):
    """What the guards know."""

    list_display = ("flag", "measure", "units_with", "units_without", "log_e", "looked_at")
    search_fields = ("flag",)
    ordering = ("flag", "measure")

    @admin.display(description="bad / units with it")
    def units_with(self, guard: FlagGuard) -> str:
        """Show how those with it fared."""
        return f"{guard.seen.get('on_bad', 0)} / {guard.seen.get('on', 0)}"

    @admin.display(description="bad / units without it")
    def units_without(self, guard: FlagGuard) -> str:
        """Show how those without it fared."""
        return f"{guard.seen.get('off_bad', 0)} / {guard.seen.get('off', 0)}"


@admin.register(AuditRun)
class AuditRunAdmin(ReadOnlyAdmin):
    """Scheduled audits, the newest first."""

    list_display = ("id", "verdict", "wrong", "started_at", "finished_at")
    list_filter = (filter_by("verdict", lambda: [RUNNING, "pass", "fail", "unknown"]),)
    search_fields = ("id",)
    ordering = ("-id",)

    @admin.display(description="not passed")
    def wrong(self, run: AuditRun) -> str:
        """Name the checks that failed or could not tell."""
        checks = run.results.get("checks", [])
        return ", ".join(check["id"] for check in checks if check["verdict"] in ("fail", "unknown"))


@admin.register(BreakerOverride)
class BreakerOverrideAdmin(ReadOnlyAdmin):
    """Forced states, also those that have ended."""

    acts = (("breaker-release", "Let it decide for itself"),)
    list_display = ("name", "state", "owner", "reason", "until", "created_at")
    list_filter = (filter_by("state", lambda: list(Force)),)
    search_fields = ("name", "owner")
    ordering = ("name",)


@admin.register(BreakerOverrideChange)
class BreakerOverrideChangeAdmin(ReadOnlyAdmin):
    """Who forced what upon which breaker, the newest first."""

    list_display = ("name", "action", "state", "operator", "reason", "until", "at")
    list_filter = ("action",)
    search_fields = ("name", "operator")
    ordering = ("-at",)


@admin.register(BreakerTransition)
class BreakerTransitionAdmin(ReadOnlyAdmin):
    """How breakers moved, the newest first."""

    list_display = (
        "breaker",
        "scope",
        "before",
        "after",
        "reason",
        "failed",
        "total",
        "slow",
        "failing_workers",
        "process",
        "at",
    )
    list_filter = ("scope", filter_by("after", lambda: list(BreakerState)))
    search_fields = ("breaker", "process")
    ordering = ("-at",)
