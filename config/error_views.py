"""Errors that no view answered: problem+json for programs, Django's pages for people in the admin."""

import sys

from django.http import HttpRequest, HttpResponse
from django.views import defaults

from config.problems import OPERATIONAL_STATUS, answer_error, problem_of

_FOR_PEOPLE = "/admin/"


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a 400 of Django's own."""
    if request.path.startswith(_FOR_PEOPLE):
        return defaults.bad_request(request, exception)
    return answer_error(exception, request)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a 403 of Django's own."""
    if request.path.startswith(_FOR_PEOPLE):
        return defaults.permission_denied(request, exception)
    return answer_error(exception, request)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer an address that does not exist."""
    if request.path.startswith(_FOR_PEOPLE):
        return defaults.page_not_found(request, exception)
    return answer_error(exception, request)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer an error that middleware let through; Django calls this while handling it."""
    raised = sys.exc_info()[1]
    error = raised if isinstance(raised, Exception) else None
    if not request.path.startswith(_FOR_PEOPLE):
        return answer_error(error, request)
    page = defaults.server_error(request)
    problem = problem_of(error)
    if problem.status == OPERATIONAL_STATUS:
        # A part is away or has no room: that is no bug, and a browser may try again.
        page.status_code = problem.status
        for name, value in problem.headers.items():
            page[name] = value
    return page
