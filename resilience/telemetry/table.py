"""The table of docs/telemetry.md, from the declarations, so that neither forgets the other."""

from resilience.telemetry.declared import declared_metrics
from resilience.telemetry.exposition import told_as


def metrics_table() -> str:
    """Return every declared metric as a Markdown table."""
    lines = ["| metric | for Prometheus | kind | labels | what it says |", "|---|---|---|---|---|"]
    for metric in declared_metrics():
        names = f"`{metric.name}` | `{told_as(metric)}` | {metric.kind}, {metric.unit}"
        lines.append(f"| {names} | {', '.join(metric.labels) or '–'} | {metric.help} |")
    return "\n".join(lines)
