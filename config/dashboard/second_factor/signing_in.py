"""Signing in: name, password, and the code of who has set one up."""

from typing import Any

from django import forms
from django.contrib.auth.models import AbstractBaseUser
from unfold.forms import AuthenticationForm
from unfold.widgets import UnfoldAdminTextInputWidget

from config.dashboard.second_factor.devices import has_second_factor, proves

# In the session: whether whoever signed in had proved who they are by a second factor.
PROVED = "second_factor"


class SignInForm(AuthenticationForm):
    """Asks for the code in the same form, so that a wrong password and a missing code look alike in time."""

    code = forms.CharField(
        required=False,
        max_length=16,
        label="Code",
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "one-time-code", "inputmode": "text"}),
        help_text="From your app, or one of your codes on paper; empty if you have set up none.",
    )

    def confirm_login_allowed(self, user: AbstractBaseUser) -> None:
        """Raise ValidationError for who is no staff, and for a wrong or missing code.

        django-otp takes each code once, and makes who guesses wait longer each time.
        """
        super().confirm_login_allowed(user)
        if not has_second_factor(user):  # type: ignore[arg-type]
            return
        code: Any = self.cleaned_data.get("code", "")
        if not proves(user, code.strip().lower()):  # type: ignore[arg-type]
            raise forms.ValidationError(
                "Give the code that your app shows now; after several wrong ones wait a little.", code="code"
            )
        if self.request is not None:
            self.request.session[PROVED] = True
