"""The report of a game day: Markdown for people, JSON for tools, every request as CSV."""

import csv
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from config.gameday.plot import plot
from config.gameday.run import Outcome
from config.gameday.seen import Seen, Window

_MARKS = {True: "yes", False: "**no**", None: "not known"}
_KINDS = ("POST", "GET", "livez", "readyz")
_PERCENTILES = (50, 95, 99)


def write_report(outcome: Outcome, *, directory: Path, held_at: datetime) -> Path:
    """Write the report into a new folder of `directory`, and return that folder."""
    folder = directory / f"{held_at:%Y%m%d-%H%M%S}-{outcome.scenario.name}"
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(json.dumps(as_json(outcome, held_at=held_at), indent=2))
    (folder / "report.md").write_text(as_markdown(outcome, held_at=held_at))
    with (folder / "requests.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("kind", "due_s", "latency_s", "status"))
        rows.writerows(
            (one.kind, f"{one.due_s:.3f}", f"{one.latency_s:.4f}", one.status)
            for one in sorted(outcome.seen.requests, key=lambda one: one.due_s)
        )
    plot(outcome, path=folder / "plot.png")
    return folder


def as_json(outcome: Outcome, *, held_at: datetime) -> dict[str, Any]:
    """Return the report as data."""
    seen = outcome.seen
    return {
        "scenario": outcome.scenario.name,
        "title": outcome.scenario.title,
        "held_at": held_at.isoformat(),
        "verdict": outcome.verdict,
        "rate": outcome.rate,
        "expectations": [vars(finding) for finding in outcome.findings],
        "windows": {name: vars(window) for name, window in _windows(seen).items()},
        "requests": {
            kind: {name: _figures(seen, kind, window) for name, window in _windows(seen).items()}
            for kind in _KINDS
        },
        "capacity": vars(seen.capacity) if seen.capacity else None,
        "orders": dict(seen.orders),
        "unanswered": seen.unanswered,
        "backlog": seen.backlog,
        "drained_s": seen.drained_s,
        "amplification": seen.amplification(),
        "restarted": dict(seen.restarted),
        "reduced": {part: list(span) for part, span in seen.reduced().items()},
        "facts": dict(seen.facts),
        "audit": seen.audit,
    }


def as_markdown(outcome: Outcome, *, held_at: datetime) -> str:
    """Return the report as a page."""
    seen = outcome.seen
    lines = [
        f"# Game day: {outcome.scenario.name}",
        "",
        outcome.scenario.title,
        "",
        f"Held {held_at:%Y-%m-%d %H:%M:%S %Z} at {outcome.rate:g} orders/s. "
        f"Verdict: **{outcome.verdict}** (audit: {seen.audit.get('verdict', 'unknown')}).",
        "",
        "| expected | seen | holds |",
        "| --- | --- | --- |",
        *(f"| {one.expected} | {one.seen} | {_MARKS[one.holds]} |" for one in outcome.findings),
        "",
        "| requests | phase | sent | not ok | p50 ms | p95 ms | p99 ms |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
        *(_row(seen, kind, name) for kind in _KINDS for name in _windows(seen)),
        "",
        "Latency counts from when a request was due, whether it was answered or not.",
        "",
        "![Latency and errors over time](plot.png)",
        "",
        *_reduced(seen),
        *_violations(seen),
    ]
    return "\n".join(lines) + "\n"


def _windows(seen: Seen) -> dict[str, Window]:
    return {"steady": seen.steady, "fault": seen.fault, "after": seen.after}


def _figures(seen: Seen, kind: str, window: Window) -> dict[str, Any]:
    return {
        "sent": len(seen.of(kind, window)),
        "not_ok": seen.failures(kind, window),
        **{f"p{one}_ms": seen.latency_ms(kind, window, one) for one in _PERCENTILES},
    }


def _row(seen: Seen, kind: str, name: str) -> str:
    figures = _figures(seen, kind, _windows(seen)[name])
    percentiles = (figures[f"p{one}_ms"] for one in _PERCENTILES)
    told = " | ".join("–" if value is None else f"{value:.1f}" for value in percentiles)
    return f"| {kind} | {name} | {figures['sent']} | {figures['not_ok']} | {told} |"


def _reduced(seen: Seen) -> list[str]:
    """Return what the platform said of itself since the fault, a line each."""
    begin_s = seen.fault.begin_s
    return [
        f"- `/healthz` called {part} reduced {first - begin_s:.1f} to {last - begin_s:.1f} s after the fault."
        for part, (first, last) in sorted(seen.reduced().items())
    ]


def _violations(seen: Seen) -> list[str]:
    """Return what the audit found wrong, or could not tell, a line each."""
    lines = []
    for check in seen.audit.get("checks", ()):
        told = [violation["message"] for violation in check.get("violations", ())]
        told += [f"not known: {check['error']}"] if check.get("error") else []
        lines += [f"- {check['id']} {check['title']}: {one}" for one in told]
    return lines
