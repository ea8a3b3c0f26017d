"""Pages that Django and waffle bring along, in the dashboard's look: accounts, roles, flags."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.forms import ModelForm
from django.http import HttpRequest
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from waffle import get_waffle_flag_model, get_waffle_sample_model, get_waffle_switch_model
from waffle.admin import FlagAdmin, SampleAdmin, SwitchAdmin

from resilience import clock
from resilience.flags.models import FlagChange
from resilience.read_only_admin import address_of_act

# Seeds and codes of others are nobody's to look at; an act takes them away.
for _secret in (TOTPDevice, StaticDevice):
    admin.site.unregister(_secret)
for _model in (User, Group, get_waffle_flag_model(), get_waffle_sample_model(), get_waffle_switch_model()):
    admin.site.unregister(_model)


@admin.register(User)
class PeopleAdmin(UserAdmin, ModelAdmin):
    """Who may sign in."""

    change_form_outer_before_template = "resilience/row_acts.html"
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Show the person, and the way to take their second factor away."""
        acts = []
        if object_id and request.user.has_perm("auth.change_user"):
            address = address_of_act("second-factor-reset", [object_id], back=request.get_full_path())
            acts.append({"title": "Take the second factor away", "address": address})
        context = (extra_context or {}) | {"row_acts": acts}
        return super().changeform_view(request, object_id, form_url, context)


@admin.register(Group)
class RolesAdmin(GroupAdmin, ModelAdmin):
    """What each role may do."""


class KeptInLog(ModelAdmin):
    """Writes what is changed on the page into the flags' log, as the command and the toolkit's page do.

    These forms ask for no reason; whoever wants one kept sets the flag on the toolkit's page.
    """

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Return none: waffle's own change many at once, and write nothing down."""
        return {}

    def save_model(self, request: HttpRequest, obj: Any, form: ModelForm, change: bool) -> None:  # noqa: FBT001
        """Save it with its line in the log: Django's admin does both in one transaction."""
        super().save_model(request, obj, form, change)
        values = ", ".join(f"{name} {form.cleaned_data[name]}" for name in form.changed_data)
        _keep(request, obj.name, f"edited: {values}"[:_CHANGE_CHARS])

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Delete it with its line in the log."""
        _keep(request, obj.name, "deleted: its default holds")
        super().delete_model(request, obj)


_CHANGE_CHARS = 100


def _keep(request: HttpRequest, name: str, change: str) -> None:
    FlagChange.objects.create(
        name=name, change=change, by=request.user.get_username(), reason="on the flag's page", at=clock.now()
    )


@admin.register(get_waffle_flag_model())
class FlagsAdmin(KeptInLog, FlagAdmin):
    """Who gets what."""


@admin.register(get_waffle_sample_model())
class SamplesAdmin(KeptInLog, SampleAdmin):
    """How often something is done."""


@admin.register(get_waffle_switch_model())
class SwitchesAdmin(KeptInLog, SwitchAdmin):
    """What is on."""
