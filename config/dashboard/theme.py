"""How the admin looks, and what leads where in it (django-unfold; settings.UNFOLD)."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy

# Deep teal: apart from the green, amber and red that say how something is.
_PRIMARY = {
    "50": "oklch(98.4% .014 200)",
    "100": "oklch(95.3% .035 201)",
    "200": "oklch(90.5% .06 203)",
    "300": "oklch(83.5% .09 207)",
    "400": "oklch(74% .11 212)",
    "500": "oklch(63.5% .11 216)",
    "600": "oklch(52% .095 220)",
    "700": "oklch(45% .08 223)",
    "800": "oklch(39% .065 225)",
    "900": "oklch(34% .055 228)",
    "950": "oklch(25% .045 230)",
}


def _style(_request: HttpRequest) -> str:
    return static("dashboard/dashboard.css")


def _script(_request: HttpRequest) -> str:
    return static("dashboard/page.js")


def _icon(_request: HttpRequest) -> str:
    return static("dashboard/anchor.svg")


def _may_view(app: str, model: str) -> Callable[[HttpRequest], bool]:
    def allowed(request: HttpRequest) -> bool:
        return request.user.has_perm(f"{app}.view_{model}")

    return allowed


def _list(title: str, icon: str, app: str, model: str) -> dict[str, Any]:
    """Return the way to a list of rows, for whoever may see them."""
    link = reverse_lazy(f"admin:{app}_{model}_changelist")
    return {"title": title, "icon": icon, "link": link, "permission": _may_view(app, model)}


def _page(title: str, icon: str, name: str, app: str, model: str) -> dict[str, Any]:
    """Return the way to a page of our own, for whoever may see the rows that it speaks of."""
    link = reverse_lazy(f"dashboard:{name}")
    return {"title": title, "icon": icon, "link": link, "permission": _may_view(app, model)}


def _group(title: str, *items: dict[str, Any]) -> dict[str, Any]:
    return {"title": title, "separator": True, "collapsible": False, "items": list(items)}


THEME = {
    "SITE_TITLE": "Holdfast",
    "SITE_HEADER": "Holdfast",
    "SITE_SUBHEADER": "Orders paid exactly once",
    "SITE_SYMBOL": "anchor",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": _icon}],
    "SITE_URL": None,
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "8px",
    "COLORS": {"primary": _PRIMARY},
    "STYLES": [_style],
    "SCRIPTS": [_script],
    "COMMAND": {
        "search_models": False,
        "search_callback": "config.dashboard.palette.search",
        "show_history": False,
    },
    "SIDEBAR": {
        "show_search": True,
        "command_search": True,
        "navigation": [
            {
                "items": [
                    {"title": "Home", "icon": "home", "link": reverse_lazy("admin:index")},
                    _page("Sagas now", "alt_route", "sagas", "resilience", "saga"),
                    _page("Money in doubt", "payments", "money", "payments", "payment"),
                    _page("Toolkit", "handyman", "toolkit", "resilience", "breakertransition"),
                    _page("Events now", "stream", "events", "resilience", "subscriptionstate"),
                ]
            },
            _group("Business", _page("Reports", "bar_chart", "business", "orders", "order")),
            _group(
                "Orders",
                _list("Orders", "shopping_bag", "orders", "order"),
                _list("Products", "inventory_2", "orders", "product"),
            ),
            _group(
                "Payments",
                _list("Payments", "credit_card", "payments", "payment"),
                _list("Ledger", "account_balance", "payments", "ledgertransaction"),
                _list("Reconciliation", "rule", "payments", "reconciliationrun"),
                _list("Exceptions", "report", "payments", "reconciliationexception"),
                _list("Gateway notices", "notifications", "payments", "gatewaynotice"),
            ),
            _group(
                "Resilience",
                _list("Sagas", "route", "resilience", "saga"),
                _list("Breaker moves", "electrical_services", "resilience", "breakertransition"),
                _list("Forced breakers", "lock", "resilience", "breakeroverride"),
                _list("Flags", "flag", "waffle", "flag"),
                _list("Switches", "toggle_on", "waffle", "switch"),
                _list("Flag changes", "history", "resilience", "flagchange"),
                _list("Audits", "verified", "resilience", "auditrun"),
                _list("Audit trail", "policy", "resilience", "audittrail"),
            ),
            _group(
                "Events",
                _list("Event log", "list_alt", "resilience", "loggedevent"),
                _list("Subscriptions", "rss_feed", "resilience", "subscriptionstate"),
                _list("Dead letters", "mark_email_unread", "resilience", "deadletter"),
                _list("Webhook endpoints", "webhook", "resilience", "webhookendpoint"),
                _list("Webhook deliveries", "outbox", "resilience", "webhookdelivery"),
            ),
            _group(
                "Learn",
                _page("Game days", "sports_score", "gamedays", "orders", "order"),
                _page("Lab", "science", "lab", "orders", "order"),
            ),
            _group(
                "Access",
                _list("API keys", "key", "resilience", "apikey"),
                _list("People", "group", "auth", "user"),
                _list("Roles", "badge", "auth", "group"),
            ),
        ],
    },
}
