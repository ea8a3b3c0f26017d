"""Values of a report as people read them. Pure."""

from datetime import date
from typing import Any

from config.dashboard.home.tiles import NOTHING, seconds
from payments.money import currency_exponent

_LABELS = {
    "sku": "SKU",
    "p50_ms": "half within",
    "p90_ms": "nine of ten within",
    "p99_ms": "99 of 100 within",
    "max_ms": "longest",
    "method_type": "paid by",
    "average_sale": "average sale",
    "decline_code": "reason",
    "success_rate": "succeed",
    "confirmed_rate": "confirmed of placed",
    "refunded_rate": "refunded of confirmed",
    "orders_of_repeat_customers": "orders of repeat customers",
}


def label(name: str) -> str:
    """Return the heading of a column."""
    words = _LABELS.get(name, name.replace("_", " "))
    return words[:1].upper() + words[1:]


def written(name: str, value: Any, *, granularity: str | None = None) -> str:
    """Return a value of the column `name`: money with its currency, rates in per cent, times with a unit."""
    match value:
        case None:
            return NOTHING
        case {"amount": int(minor), "currency": str(currency)}:
            return money(minor, currency)
        case float():
            return f"{100 * value:.1f} %"
        case int():
            return seconds(value / 1000) if name.endswith("_ms") else f"{value:,}"
        case str() if name in ("period", "cohort"):
            return moment(value, granularity if name == "period" else "month")
    return str(value) or "not known"


def money(minor: int, currency: str) -> str:
    """Return an amount >= 0 as Money writes it; a sum may be above what one payment may be."""
    whole, part = divmod(minor, 10 ** currency_exponent(currency))
    decimals = f".{part:0{currency_exponent(currency)}d}" if currency_exponent(currency) else ""
    return f"{whole:,}{decimals} {currency}"


def moment(text: str, granularity: str | None) -> str:
    """Return when a slot of a report begins, e.g. `2026-03-01` by `month`: March 2026."""
    day = date.fromisoformat(text[:10])
    match granularity:
        case "month":
            return f"{day:%B %Y}"
        case "week":
            return f"Week of {day}"
        case "hour" | "minute":
            return f"{day:%a} {day} {text[11:]}"
    return f"{day:%a} {day}"


def change(now: Any, before: Any) -> str:
    """Return how much more or less it is than before; "" where that cannot be said."""
    if now is None or before is None:
        return ""
    if isinstance(now, float):
        return f"{100 * (now - before):+.1f} points"
    new, old = number(now), number(before)
    if new == old:
        return "unchanged"
    # Of nothing, no share can be told.
    return f"{100 * (new - old) / old:+.1f} %" if old else ""


def number(value: Any) -> Any:
    """Return what is drawn of a value: minor units of money, else the value itself."""
    return value["amount"] if isinstance(value, dict) else value
