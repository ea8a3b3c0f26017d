"""What an audit says: a verdict per check, and the worst of them for the whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from resilience.audit.check import Check, Violation


class Verdict(StrEnum):
    """UNKNOWN never counts as a pass; SKIPPED is a check that was not due, and says nothing."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Result:
    """What became of one check: `total` violations, of which some are shown; `error` is why it is unknown."""

    check: Check
    verdict: Verdict
    total: int = 0
    violations: tuple[Violation, ...] = ()
    error: str = ""
    took_ms: int = 0


@dataclass(frozen=True)
class Report:
    """One audit. `under_way` counts what moved while it looked, by name."""

    started_at: datetime
    finished_at: datetime
    results: tuple[Result, ...]
    under_way: Mapping[str, int]

    @property
    def verdict(self) -> Verdict:
        """FAIL when any check failed, else UNKNOWN when any could not tell, else PASS."""
        said = {result.verdict for result in self.results}
        worst = (Verdict.FAIL, Verdict.UNKNOWN)
        return next((verdict for verdict in worst if verdict in said), Verdict.PASS)

    def as_json(self) -> dict[str, Any]:
        """Return it for tools; docs/audit.md describes it."""
        return {
            "verdict": self.verdict,
            "started_at": self.started_at.isoformat(),
            "finished_at": self.finished_at.isoformat(),
            "under_way": dict(self.under_way),
            "checks": [_result_as_json(result) for result in self.results],
        }


def _result_as_json(result: Result) -> dict[str, Any]:
    return {
        "id": result.check.id,
        "title": result.check.title,
        "kind": result.check.kind,
        "verdict": result.verdict,
        "total": result.total,
        "violations": [{"message": one.message, "rows": list(one.rows)} for one in result.violations],
        "error": result.error,
        "took_ms": result.took_ms,
    }
