"""What a client asks a report for, and whose sales it may see."""

from collections.abc import Mapping
from datetime import datetime

from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from analytics.reports.answering import Asked
from analytics.reports.definitions import Report
from analytics.reports.reading import asked_of, one_of
from resilience.apikeys.authentication import principal_of
from resilience.rest.query import query_parameters

READ, READ_ALL = "reports.read", "reports.all"
_PARAMETERS = frozenset(
    {"from", "to", "time_zone", "granularity", "currency", "compare", "all_clients", "format"}
)


def read_asked(request: Request, report: Report, *, now: datetime) -> tuple[Asked, Mapping[str, str]]:
    """Return what is asked for, and the parameters as they came.

    Raises InvalidRequest, and PermissionDenied for `all_clients` without the permission.
    """
    parameters = query_parameters(request, allowed=_PARAMETERS)
    client = _client(request, parameters)
    return asked_of(parameters, report=report, client=client, now=now), parameters


def _client(request: Request, parameters: Mapping[str, str]) -> str | None:
    principal = principal_of(request)
    if one_of(parameters, "all_clients", ("true", "false"), default="false") == "false":
        return principal.client
    if READ_ALL not in principal.permissions:
        raise PermissionDenied(f"`all_clients` needs the permission {READ_ALL}. Leave it out.")
    return None
