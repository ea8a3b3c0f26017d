"""What a report is asked for, read from the parameters of a query string."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from analytics.reports.answering import Asked
from analytics.reports.definitions import REPORTS, Report
from payments.money import EXPONENTS
from resilience.errors import Refusal
from resilience.rest.errors import InvalidRequest, invalid_field

COMPARED = ("none", "previous_period", "previous_year")
_DAYS_BY_DEFAULT = 30
# A question about more is one for `manage.py query`.
_DAYS_MAX = 3 * 366
# With room for a year before and a day after that every time zone has.
_YEARS = (1971, 2999)


class ReportNotFoundError(Refusal):
    """There is no report of this name."""

    code = "report_not_found"


def report_named(name: str) -> Report:
    """Return the report; raises ReportNotFoundError."""
    try:
        return REPORTS[name]
    except KeyError:
        known = ", ".join(REPORTS)
        raise ReportNotFoundError(f"There is no such report. There are: {known}.") from None


def asked_of(parameters: Mapping[str, str], *, report: Report, client: str | None, now: datetime) -> Asked:
    """Return what is asked for; `client` None: of all clients. Raises InvalidRequest."""
    zone = one_of(parameters, "time_zone", time_zones(), default="UTC")
    today = now.astimezone(ZoneInfo(zone)).date()
    last = _day(parameters, "to") or today
    first = _day(parameters, "from") or last - timedelta(days=_DAYS_BY_DEFAULT - 1)
    if not 0 <= (last - first).days < _DAYS_MAX:
        raise invalid_field("from", code="invalid", detail=f"Ask for 1 to {_DAYS_MAX} days: from <= to.")
    compared = one_of(parameters, "compare", COMPARED, default="none")
    return Asked(
        report=report,
        client=client,
        first=first,
        last=last,
        zone=zone,
        currency=one_of(parameters, "currency", tuple(EXPONENTS)) if "currency" in parameters else None,
        granularity=_granularity(report, parameters),
        compared=None if compared == "none" else compared,
    )


@cache
def time_zones() -> tuple[str, ...]:
    """Return the names of all time zones, sorted. Finding them walks a tree of files: once a process."""
    return tuple(sorted(available_timezones()))


def one_of(parameters: Mapping[str, str], name: str, known: tuple[str, ...], *, default: str = "") -> str:
    """Return the parameter, which is one of `known`. Raises InvalidRequest."""
    value = parameters.get(name, default)
    if value not in known:
        some = ", ".join(sorted(known)[:5])
        raise invalid_field(name, code="invalid_choice", detail=f"Send one of: {some}…")
    return value


def _granularity(report: Report, parameters: Mapping[str, str]) -> str | None:
    if not report.granularities:
        if "granularity" in parameters:
            raise invalid_field("granularity", code="invalid", detail="This report has none. Leave it out.")
        return None
    return one_of(parameters, "granularity", report.granularities, default=report.granularities[0])


def _day(parameters: Mapping[str, str], name: str) -> date | None:
    if name not in parameters:
        return None
    try:
        day = date.fromisoformat(parameters[name])
    except ValueError as error:
        refusal: InvalidRequest = invalid_field(name, code="invalid", detail="Send a day like 2026-01-31.")
        raise refusal from error
    if not _YEARS[0] <= day.year <= _YEARS[1]:
        raise invalid_field(name, code="invalid", detail=f"Send a day of {_YEARS[0]} to {_YEARS[1]}.")
    return day
