"""Named checks over the database and what witnesses outside it say, with the rows that break them.

A context registers its checks at start-up (`register`); `run_checks` judges them in one snapshot.
docs/audit.md lists what is checked.
"""

from resilience.audit.check import Check, Findings, Kind, Moment, Violation, WitnessMissingError
from resilience.audit.registry import UnknownCheckError, checks, register, register_activity
from resilience.audit.report import Report, Result, Verdict
from resilience.audit.runner import run_checks
from resilience.audit.snapshot import found

__all__ = [
    "Check",
    "Findings",
    "Kind",
    "Moment",
    "Report",
    "Result",
    "UnknownCheckError",
    "Verdict",
    "Violation",
    "WitnessMissingError",
    "checks",
    "found",
    "register",
    "register_activity",
    "run_checks",
]
