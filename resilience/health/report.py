"""The last look at everything: made in the background, read by probes, dashboard and API."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis.asyncio.client import Pipeline

from resilience import clock, pulse
from resilience.health.check import Check, Finding, Scope, Status, checks
from resilience.pulse import Member
from resilience.signs import signs

# A report that is older says that the runner stands still.
AGE_S_MAX = 5.0
# When more of the fleet than this has it, a trouble of this process is everybody's.
SHARED_ABOVE = 0.5
_WORST_LAST = (Status.PASS, Status.WARN, Status.FAIL)


@dataclass(frozen=True)
class Result:
    """A check and what its last look showed; `since` when its status is what it is."""

    check: Check
    finding: Finding
    since: datetime


@dataclass(frozen=True)
class Reduction:
    """What does not work as it should, and what that means for orders."""

    part: str
    since: datetime
    meaning: str
    output: str


@dataclass(frozen=True)
class Report:
    """Everything that was looked at, at `at`. `fleet_shares_it`: most of the fleet lacks a hard part."""

    at: datetime
    results: tuple[Result, ...]
    fleet_shares_it: bool = False

    @property
    def status(self) -> Status:
        """How the platform is: a soft part that fails is a warning."""
        worst = [
            Status.WARN if result.finding.status is Status.FAIL and not result.check.is_hard
            else result.finding.status
            for result in self.results
        ]  # fmt: skip
        return max(worst, key=_WORST_LAST.index, default=Status.PASS)

    @property
    def readiness(self) -> Status:
        """Whether this process should get traffic: FAIL takes it out.

        A shared part that most of the fleet lacks takes nobody out: with all of them out, nothing is served
        at all, and what can still be done (a cached read, a clear 503) is lost.
        """
        failed = [result for result in self.results if result.check.is_hard and not _passes(result)]
        if not failed:
            return Status.PASS
        if self.fleet_shares_it and all(result.check.scope is Scope.SHARED for result in failed):
            return Status.WARN
        return Status.FAIL

    @property
    def reductions(self) -> list[Reduction]:
        """Return what is reduced now: the hard first, what fails before what warns, then the longest."""
        troubled = [result for result in self.results if result.finding.status is not Status.PASS]
        troubled.sort(key=lambda result: (not result.check.is_hard, _passes(result), result.since))
        return [
            Reduction(result.check.name, result.since, result.check.meaning, result.finding.output)
            for result in troubled
        ]


def judge(
    looked_at: Sequence[Check], *, before: Report | None, now: datetime, fleet_shares_it: bool
) -> Report:
    """Look at everything once; a status that has not changed keeps its `since`."""
    known = {result.check.name: result for result in before.results} if before else {}
    results = []
    for check in looked_at:
        finding = _look(check)
        last = known.get(check.name)
        kept = last is not None and last.finding.status is finding.status
        results.append(Result(check, finding, last.since if kept and last else now))
    return Report(now, tuple(results), fleet_shares_it)


class Runner(Member):
    """Looks at each beat with anybody: no probe waits for a look."""

    name = "health"

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self.forget()

    def forget(self) -> None:
        """Know nothing yet."""
        self._report: Report | None = None
        self._looked_at: float | None = None

    def queue(self, pipeline: Pipeline) -> None:
        """Look, whether or not Redis answers."""
        self.run_once()

    def run_once(self) -> Report:
        """Look at everything and keep what was found."""
        report = judge(
            checks(), before=self._report, now=clock.now(), fleet_shares_it=_is_shared(signs.blind_count)
        )
        signs.is_blind = any(result.check.is_hard and not _passes(result) for result in report.results)
        self._report, self._looked_at = report, self._monotonic()
        return report

    def last(self) -> Report | None:
        """Return the last report; None when there is none yet, or when it is too old to be believed."""
        if self._looked_at is None or self._monotonic() - self._looked_at > AGE_S_MAX:
            return None
        return self._report


runner = Runner()
pulse.join(runner)


def _is_shared(blind_count: int) -> bool:
    fleet = pulse.fleet_size()
    return blind_count > max(1, SHARED_ABOVE * fleet)


def _look(check: Check) -> Finding:
    try:
        return check.look()
    except Exception as error:  # noqa: BLE001 - one bad check must not hide the others
        return Finding(Status.WARN, output=f"The check failed itself: {type(error).__name__}: {error}")


def _passes(result: Result) -> bool:
    return result.finding.status is not Status.FAIL


def as_document(report: Report) -> dict[str, Any]:
    """Return the report in the format of draft-inadarei-api-health-check-06, with what is reduced."""
    return {
        "status": report.status.value,
        "serviceId": "holdfast",
        "description": "Orders that are paid exactly once.",
        "checks": {result.check.name: [_entry(result, report.at)] for result in report.results},
        "reduced": [
            {
                "part": reduction.part,
                "since": reduction.since.isoformat(),
                "meaning": reduction.meaning,
                "output": reduction.output,
            }
            for reduction in report.reductions
        ],
    }


def _entry(result: Result, at: datetime) -> dict[str, Any]:
    check, finding = result.check, result.finding
    entry: dict[str, Any] = {
        "componentType": check.component_type,
        "status": finding.status.value,
        "time": at.isoformat(),
        "since": result.since.isoformat(),
        "scope": check.scope.value,
        "hard": check.is_hard,
    }
    if finding.value is not None:
        entry |= {"observedValue": round(finding.value, 3), "observedUnit": finding.unit}
    if finding.output:
        entry["output"] = finding.output
    if finding.status is not Status.PASS:
        entry["meaning"] = check.meaning
    return entry
