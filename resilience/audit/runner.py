"""Judge checks, one after the other, in one snapshot."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from resilience.audit import registry
from resilience.audit.check import Check, Kind, Moment
from resilience.audit.report import Report, Result, Verdict
from resilience.audit.snapshot import bounded, snapshot

logger = logging.getLogger(__name__)

ERROR_LENGTH_MAX = 500


def run_checks(
    checks: Sequence[Check],
    *,
    witnesses: Mapping[type, object],
    is_quiescent: bool,
    started_at: datetime,
    clock: Callable[[], datetime],
) -> Report:
    """Judge `checks` in one snapshot, with what `witnesses` said before it, by their types.

    Checks of rest are skipped while something is under way, unless the caller knows better
    (`is_quiescent`). A check that raises is unknown. Raises only when there is no snapshot to be had.
    """
    with snapshot():
        moment = Moment(clock(), witnesses)
        with bounded():
            under_way = {name: count() for name, count in registry.activities().items()}
        is_at_rest = is_quiescent or not any(under_way.values())
        results = tuple(_judge(check, moment, is_at_rest=is_at_rest) for check in checks)
    return Report(started_at, clock(), results, under_way)


def _judge(check: Check, moment: Moment, *, is_at_rest: bool) -> Result:
    if check.kind is Kind.QUIESCENCE and not is_at_rest:
        return Result(check, Verdict.SKIPPED)
    began = time.monotonic()
    try:
        with bounded():
            findings = check.find(moment)
    except Exception as error:
        # Whatever it is, the others are judged: an audit that stops at its first trouble hides the rest.
        logger.warning("A check could not tell.", extra={"check": check.id}, exc_info=True)
        text = f"{type(error).__name__}: {error}"[:ERROR_LENGTH_MAX]
        return Result(check, Verdict.UNKNOWN, error=text, took_ms=_since_ms(began))
    verdict = Verdict.FAIL if findings.total else Verdict.PASS
    return Result(check, verdict, findings.total, findings.shown, took_ms=_since_ms(began))


def _since_ms(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
