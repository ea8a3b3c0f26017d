"""A report as people read it, and as tools do."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from config.replay.report import CANCELLED, CONFIRMED, Report


def as_json(report: Report) -> dict[str, Any]:
    """Return one JSON object; times in seconds, money in minor units."""
    by_code: Counter[str] = Counter()
    for refusal in report.refusals:
        by_code[refusal.code] += refusal.orders
    return {
        "products": dict(report.products),
        "accepted": report.accepted,
        "replayed": report.replayed,
        "refused": {
            "total": report.refused,
            "by_code": dict(by_code),
            "reasons": [vars(refusal) for refusal in report.refusals],
        },
        "statuses": dict(report.statuses),
        "confirmed": report.statuses.get(CONFIRMED, 0),
        "cancelled": {
            "total": report.statuses.get(CANCELLED, 0),
            "by_reason": dict(report.cancel_reasons),
        },
        "open": report.open,
        "missing": report.missing,
        "confirmed_minor": dict(report.confirmed_minor),
        "answered_per_s": report.pace.answered_per_s,
        "settled_per_s": report.pace.settled_per_s,
        "settle_s": {"orders": report.pace.settled_orders, **report.pace.settle_s},
    }


def as_text(report: Report) -> str:
    """Return some lines, with the words that docs/replay.md explains."""
    statuses = {CONFIRMED: 0, CANCELLED: 0, **report.statuses}
    return "\n".join(
        [
            _line("products", _counts(report.products)),
            _line("accepted", f"{report.accepted:,} (replayed {report.replayed:,})"),
            _line("refused", f"{report.refused:,}"),
            *(
                f"  {one.orders:,} {one.code}: {one.reason} (such as {one.example})"
                for one in report.refusals
            ),
            *(_line(status, f"{orders:,}") for status, orders in statuses.items()),
            *(f"  {orders:,} cancelled: {reason}" for reason, orders in report.cancel_reasons.items()),
            _line("still open", f"{report.open:,}"),
            _line("not found", f"{report.missing:,}"),
            *(
                _line("money", f"{currency} {amount_minor:,} minor units confirmed")
                for currency, amount_minor in sorted(report.confirmed_minor.items())
            ),
            *_pace_lines(report),
        ]
    )


def _pace_lines(report: Report) -> list[str]:
    pace = report.pace
    lines = [_line("answered", f"{pace.answered_per_s:.1f} orders/s")]
    if pace.settled_per_s is not None:
        waits = ", ".join(f"{name} {wait_s:.2f} s" for name, wait_s in pace.settle_s.items())
        lines.append(_line("settled", f"{pace.settled_per_s:.1f} orders/s, after {waits}"))
    return lines


def _line(name: str, text: str) -> str:
    return f"{name:<12}{text}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in counts.items()) or "none"
