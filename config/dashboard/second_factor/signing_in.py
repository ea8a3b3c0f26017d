"""Signing in: name, password, and the code of who has set one up."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.auth import logout
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest, HttpResponse
from unfold.forms import AuthenticationForm
from unfold.widgets import UnfoldAdminTextInputWidget

from config.dashboard.second_factor.devices import has_second_factor, proves

# In the session: whoever signed in had proved who they are by a second factor.
PROVED = "second_factor"
# On the request that signs in, for the session of before may be thrown away by it.
_HAS_PROVED = "has_proved_second_factor"


class SignInForm(AuthenticationForm):
    """Asks for the code in the same form, and says of nothing that is wrong what it is."""

    error_messages = {
        **AuthenticationForm.error_messages,
        "invalid_login": "Name, password or code is wrong. After several wrong codes wait a little.",
    }
    code = forms.CharField(
        required=False,
        max_length=16,
        label="Code",
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "one-time-code", "inputmode": "text"}),
        help_text="From your app, or one of your codes on paper; empty if you have set up none.",
    )

    def confirm_login_allowed(self, user: AbstractBaseUser) -> None:
        """Raise ValidationError for who is no staff, and for a wrong or missing code."""
        super().confirm_login_allowed(user)
        person: Any = user
        if not has_second_factor(person):
            return
        if not proves(person, self.cleaned_data.get("code", "")):
            raise self.get_invalid_login_error()
        if self.request is not None:
            setattr(self.request, _HAS_PROVED, True)


def sign_in(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """Sign in as the admin does, and note in the new session that a second factor was proved.

    Who is signed in and has not proved one where it is required is signed out first: Django would send them
    on, and the dashboard back here.
    """
    is_stuck = settings.SECOND_FACTOR_REQUIRED and not request.session.get(PROVED)
    if request.method == "GET" and request.user.is_authenticated and is_stuck:
        logout(request)
    answer: HttpResponse = admin.site.login(request, extra_context)
    if getattr(request, _HAS_PROVED, False) and request.user.is_authenticated:
        request.session[PROVED] = True
    return answer
