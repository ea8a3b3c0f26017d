"""Lets nobody into the dashboard without a second factor, where it is required."""

from collections.abc import Callable
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from config.dashboard.second_factor.signing_in import PROVED

_DASHBOARD = "/admin/"


class SecondFactorMiddleware:
    """Sends who has not proved it to the page that sets it up. Asks the session only."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on, or send its person to the setup."""
        if not settings.SECOND_FACTOR_REQUIRED or not request.path_info.startswith(_DASHBOARD):
            return self._get_response(request)
        setup = reverse("dashboard:second-factor")
        allowed = (setup, reverse("admin:login"), reverse("admin:logout"), reverse("admin:jsi18n"))
        if request.path in allowed or not request.user.is_authenticated or request.session.get(PROVED):
            return self._get_response(request)
        if request.path_info.endswith(".json"):
            # Of a page that was open before: its script is told, and does not follow.
            return HttpResponse(status=HTTPStatus.FORBIDDEN)
        return HttpResponseRedirect(setup)
