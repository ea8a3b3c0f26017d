"""The page on which a person sets up their second factor."""

import base64

import segno
from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_http_methods
from unfold.widgets import UnfoldAdminTextInputWidget

from config.dashboard.second_factor.devices import confirm, has_second_factor, unconfirmed_device
from config.dashboard.second_factor.signing_in import PROVED
from resilience import clock
from resilience.audit_trail import Deed, keep


class CodeForm(forms.Form):
    """The code that the app shows now."""

    code = forms.CharField(
        min_length=6,
        max_length=6,
        label="Code that the app shows now",
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )


@require_http_methods(["GET", "HEAD", "POST"])
def setup(request: HttpRequest) -> HttpResponse:
    """Show what the app is to scan; with its first code, take it and show the codes for paper, once."""
    user = request.user
    if not isinstance(user, User):
        raise AssertionError("the admin lets nobody in who has not signed in")
    if has_second_factor(user) and not request.session.get(PROVED):
        # A session from before it was set up may not replace it.
        return HttpResponseRedirect(f"{reverse('admin:login')}?next={request.path}")
    form = CodeForm(request.POST if request.method == "POST" else None)
    codes = None
    if request.method == "POST" and form.is_valid():
        codes = confirm(user, form.cleaned_data["code"])
        if codes is None:
            form.add_error("code", "That is not the code now. Is the clock of the device right?")
        else:
            request.session[PROVED] = True
            reason = "their own"
            deed = Deed("second-factor", user.get_username(), user.get_username(), reason, clock.now())
            keep(deed, outcome="was set up")
    context = admin.site.each_context(request) | {"title": "Second factor", "form": form, "codes": codes}
    if codes is None:
        device = unconfirmed_device(user)
        context |= {
            "picture": _picture(device.config_url),
            "secret": base64.b32encode(device.bin_key).decode(),
            "has_one": has_second_factor(user),
        }
    status = 400 if form.is_bound and codes is None else 200
    return TemplateResponse(request, "dashboard/second_factor.html", context, status=status)


setup_view = admin.site.admin_view(setup)


def _picture(url: str) -> str:
    svg = segno.make(url, error="m").svg_inline(scale=5, border=3, dark="#000", light="#fff")
    return mark_safe(svg)  # noqa: S308 - drawn from numbers; nothing of the text is in it
