"""Reports and verdicts as the script in Redis reads and writes them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from resilience.breaker.condition import Condition, Figures
from resilience.breaker.report import Ended, Report, Verdict
from resilience.breaker.states import BreakerState

SCRIPT = (Path(__file__).parent / "script.lua").read_text()
# The names of all breakers of the fleet, by when they were last talked about.
NAMES_KEY = "hf:breakers"


def written(reports: Sequence[Report], *, is_member: bool = True) -> str:
    """Return `reports` for the script. Without `is_member` they only ask, and count for nothing."""
    return json.dumps([_written(report, is_member=is_member) for report in reports])


def read(answer: bytes | str) -> dict[str, Verdict]:
    """Return the verdicts, by the names of their breakers."""
    return {found["name"]: _read(found) for found in json.loads(answer)}


def _written(report: Report, *, is_member: bool) -> dict[str, Any]:
    proposal = report.proposal
    told: dict[str, Any] = {
        "name": report.name,
        "is_member": is_member,
        "version": report.version,
        "total": report.total,
        "failures": report.failed,
        "slow": report.slow,
        "has_answer": report.answered_ago_s is not None,
        "answered_ago_ms": _ms(report.answered_ago_s or 0.0),
        "streak": report.streak,
        "streak_ago_ms": _ms(report.streak_ago_s),
        "is_reporting": report.is_reporting,
        "is_failing": report.is_failing,
        "wish_ms": _ms(report.retry_after_s),
        "wanted": report.leases_wanted,
        "held": report.leases_held,
        "ended": [[ended.token, _result(ended)] for ended in report.leases_ended],
        "probes_at_once": report.probes_at_once,
        "probes_needed": report.probes_needed,
        "lease_ms": _ms(report.lease_s),
    }
    if proposal is not None:
        told["proposal"] = {
            "expected": proposal.expected_version,
            "version": proposal.version,
            "state": proposal.state,
            "lasts_ms": _ms(proposal.lasts_s),
            "wait_ms": _ms(proposal.wait_s),
            "reason": proposal.reason,
        }
    return told


def _read(found: dict[str, Any]) -> Verdict:
    condition = Condition(
        state=BreakerState(found["state"]),
        version=int(found["version"]),
        since=found["since_ms"] / 1000,
        until=found["until_ms"] / 1000,
        wait_s=found["wait_ms"] / 1000,
        reason=found["reason"],
    )
    figures = Figures(
        total=int(found["total"]),
        failed=int(found["failures"]),
        slow=int(found["slow"]),
        streak=int(found["streak"]),
        failing_workers=int(found["failing"]),
        reporting_workers=int(found["reporting"]),
        probes_passed=int(found["passed"]),
        probes_failed=int(found["failed"]),
        retry_after_s=found["wish_ms"] / 1000,
        is_fleet=True,
    )
    # An empty table of Lua is an empty object.
    return Verdict(
        condition, figures, tuple(found["leases"]), tuple(found["failing_names"]), bool(found["is_moved"])
    )


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _result(ended: Ended) -> int:
    return 0 if ended.is_passed is None else 1 if ended.is_passed else 2
