"""What the business page is asked for: a query string that can be sent to somebody. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from django.http import QueryDict
from django.utils.http import urlencode

from analytics.reports.answering import Asked
from analytics.reports.definitions import Report
from analytics.reports.reading import asked_of, one_of
from resilience.rest.errors import invalid_field, shown


@dataclass(frozen=True)
class Period:
    """Days that end today; `first` says on which day they begin."""

    name: str
    title: str
    first: Callable[[date], date]


def _days(count: int) -> Callable[[date], date]:
    return lambda today: today - timedelta(days=count - 1)


PERIODS = {
    period.name: period
    for period in (
        Period("7d", "7 days", _days(7)),
        Period("30d", "30 days", _days(30)),
        Period("90d", "90 days", _days(90)),
        Period("month", "This month", lambda today: today.replace(day=1)),
    )
}
COMPARISONS = {
    "none": "nothing",
    "previous_period": "the days before",
    "previous_year": "a year before",
}
PERIOD_BY_DEFAULT, COMPARISON_BY_DEFAULT, ZONE_BY_DEFAULT = "30d", "previous_period", "UTC"
_DATES = frozenset({"from", "to"})
PARAMETERS = _DATES | {"period", "time_zone", "granularity", "currency", "compare"}
# A time zone's name has thirty characters; more is a mistake, and is not repeated to anybody.
_LENGTH_MAX = 64


@dataclass(frozen=True)
class Question:
    """What is asked, and the name of the period that it was chosen by; None: by its dates."""

    asked: Asked
    period: str | None

    def query(self, **others: str) -> str:
        """Return the query string that asks this again; `others` are added or take the place of its own.

        A `period` takes the place of dates. What is as by default is left out.
        """
        asked = self.asked
        dates = {} if self.period or "period" in others else {"from": f"{asked.first}", "to": f"{asked.last}"}
        chosen = {
            **dates,
            "period": self.period if self.period != PERIOD_BY_DEFAULT else None,
            "time_zone": asked.zone if asked.zone != ZONE_BY_DEFAULT else None,
            "granularity": asked.granularity if asked.granularity in asked.report.granularities[1:] else None,
            "currency": asked.currency,
            "compare": (asked.compared or "none") if asked.compared != COMPARISON_BY_DEFAULT else None,
            **others,
        }
        return urlencode({name: value for name, value in chosen.items() if value})

    def of(self, report: Report) -> "Question":
        """Return the same question to another report, by its own granularity if it does not know this one."""
        known = report.granularities
        granularity = self.asked.granularity if self.asked.granularity in known else next(iter(known), None)
        return replace(self, asked=replace(self.asked, report=report, granularity=granularity))


def parameters_of(query: QueryDict, *, allowed: frozenset[str]) -> dict[str, str]:
    """Return what was chosen. A field that a form sends empty was not. Raises InvalidRequest."""
    chosen: dict[str, str] = {}
    for name, values in query.lists():
        given = [value for value in values if value]
        if name not in allowed:
            known = ", ".join(sorted(allowed))
            raise invalid_field(
                shown(name), code="unknown_parameter", detail=f"Not known here. Known: {known}."
            )
        if len(given) > 1:
            raise invalid_field(name, code="repeated_parameter", detail="Choose one.")
        if given and len(given[0]) > _LENGTH_MAX:
            raise invalid_field(name, code="invalid", detail=f"Send at most {_LENGTH_MAX} characters.")
        if given:
            chosen[name] = given[0]
    return chosen


def question_of(parameters: Mapping[str, str], *, report: Report, now: datetime) -> Question:
    """Return what is asked of all clients' orders; dates win over a period. Raises InvalidRequest."""
    period = one_of(parameters, "period", tuple(PERIODS), default=PERIOD_BY_DEFAULT)
    asked = asked_of({"compare": COMPARISON_BY_DEFAULT, **parameters}, report=report, client=None, now=now)
    if _DATES & parameters.keys():
        return Question(asked, period=None)
    return Question(replace(asked, first=PERIODS[period].first(asked.last)), period)
