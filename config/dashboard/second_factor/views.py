"""The page on which a person sets up their second factor."""

import base64

import segno
from django import forms
from django.contrib import admin
from django.contrib.auth import logout
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_http_methods
from unfold.widgets import UnfoldAdminTextInputWidget

from config.dashboard.second_factor.devices import confirm, has_second_factor, proves, unconfirmed_device
from config.dashboard.second_factor.signing_in import PROVED
from resilience import clock


def _code_field(label: str) -> forms.CharField:
    return forms.CharField(
        max_length=16,
        label=label,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "one-time-code", "inputmode": "text"}),
    )


class CodeForm(forms.Form):
    """The code that the new app shows now."""

    code = _code_field("Code that the app shows now")


class ReplacingForm(CodeForm):
    """And one of the factor that it takes the place of: an open session alone must not."""

    current = _code_field("Code of the one that you have, or one of its codes on paper")
    field_order = ("current", "code")


@require_http_methods(["GET", "HEAD", "POST"])
def setup(request: HttpRequest) -> HttpResponse:
    """Show what the app is to scan; with its first code, take it and show the codes for paper, once."""
    user = request.user
    if not isinstance(user, User):
        raise AssertionError("the admin lets nobody in who has not signed in")
    has_one = has_second_factor(user)
    if has_one and not request.session.get(PROVED):
        # A session from before it was set up: signed out, for the sign-in would send it back here.
        logout(request)
        return HttpResponseRedirect(f"{reverse('admin:login')}?next={request.path}")
    form = (ReplacingForm if has_one else CodeForm)(request.POST if request.method == "POST" else None)
    codes = _taken(request, user, form) if request.method == "POST" and form.is_valid() else None
    context = admin.site.each_context(request) | {"title": "Second factor", "form": form, "codes": codes}
    if codes is None:
        device = unconfirmed_device(user)
        context |= {
            "picture": _picture(device.config_url),
            "secret": base64.b32encode(device.bin_key).decode(),
            "has_one": has_one,
        }
    status = 400 if form.is_bound and codes is None else 200
    return TemplateResponse(request, "dashboard/second_factor.html", context, status=status)


def _taken(request: HttpRequest, user: User, form: CodeForm) -> list[str] | None:
    given = form.cleaned_data
    if "current" in given and not proves(user, given["current"]):
        form.add_error("current", "That is not a code of the one that you have; wait a little after several.")
        return None
    codes = confirm(user, "".join(given["code"].split()), now=clock.now())
    if codes is None:
        form.add_error("code", "That is not the code now. Is the clock of the device right?")
    else:
        request.session[PROVED] = True
    return codes


setup_view = admin.site.admin_view(setup)


def _picture(url: str) -> str:
    svg = segno.make(url, error="m").svg_inline(scale=5, border=3, dark="#000", light="#fff")
    return mark_safe(svg)  # noqa: S308 - drawn from numbers; nothing of the text is in it
