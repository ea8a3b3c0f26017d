"""Who listens to the log and how far behind they are; what they gave up; receivers of clients."""

from typing import Any

from django.db.models import Count, F, Max, Min
from django.http import HttpRequest

from config.dashboard.page import OPERATE, page
from resilience import clock
from resilience.events import Subscription, subscriptions
from resilience.events.lag import lag
from resilience.events.models import DeadLetter, EventReplay, SubscriptionState
from resilience.routing.databases import PRIMARY
from resilience.webhooks.models import WebhookEndpoint
from resilience.webhooks.states import DisabledReason

# As many as an act takes at once.
_SHOWN = 50


@page("dashboard/events.html", title="Events", permission="resilience.view_subscriptionstate")
def events_view(request: HttpRequest) -> dict[str, Any]:
    """Return subscriptions with their lag, dead letters by subscription, and endpoints, the worst first."""
    rows = SubscriptionState.objects.using(PRIMARY).order_by("name", "lane")
    lanes: dict[str, list[SubscriptionState]] = {}
    for row in rows:
        lanes.setdefault(row.name, []).append(row)
    waiting = DeadLetter.objects.using(PRIMARY).filter(redelivered_at=None)
    letters = waiting.values("subscription").annotate(
        letters=Count("id"), first=Min("died_at"), last=Max("died_at")
    )
    endpoints = WebhookEndpoint.objects.using(PRIMARY).exclude(disabled_reason=DisabledReason.DELETED)
    worst_first = endpoints.order_by(F("failing_since").asc(nulls_last=True), "client", "url")
    return {
        "subscriptions": [_shown(one, lanes.get(one.name, [])) for one in subscriptions()],
        "letters": list(letters.order_by("subscription")),
        "latest": waiting.order_by("-died_at").defer("payload")[:_SHOWN],
        "replays": EventReplay.objects.using(PRIMARY).filter(done_at=None).order_by("begun_at")[:_SHOWN],
        "endpoints": worst_first.defer("secret", "secrets_before")[:_SHOWN],
        "may_act": request.user.has_perm(OPERATE),
        "now": clock.now(),
    }


def _shown(subscription: Subscription, lanes: list[SubscriptionState]) -> dict[str, Any]:
    behind = lag(subscription)
    first = lanes[0] if lanes else None
    failing = [lane for lane in lanes if lane.attempts]
    paused = first is not None and first.paused
    level = "reduced" if paused or failing or (behind.oldest_age_s or 0) > 30 else "good"
    return {
        "row": subscription,
        "lag": behind,
        "lanes": len(lanes),
        "handled": sum(lane.handled for lane in lanes),
        "paused": paused,
        "failing": failing,
        "level": level,
        "state": "paused"
        if paused
        else "failing"
        if failing
        else "behind"
        if level != "good"
        else "up to date",
    }
