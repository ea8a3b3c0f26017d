"""Pages that Django and waffle bring along, in the dashboard's look: accounts, roles, flags."""

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from waffle import get_waffle_flag_model, get_waffle_sample_model, get_waffle_switch_model
from waffle.admin import FlagAdmin, SampleAdmin, SwitchAdmin

for _model in (User, Group, get_waffle_flag_model(), get_waffle_sample_model(), get_waffle_switch_model()):
    admin.site.unregister(_model)


@admin.register(User)
class PeopleAdmin(UserAdmin, ModelAdmin):
    """Who may sign in."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


@admin.register(Group)
class RolesAdmin(GroupAdmin, ModelAdmin):
    """What each role may do."""


@admin.register(get_waffle_flag_model())
class FlagsAdmin(FlagAdmin, ModelAdmin):
    """Who gets what."""


@admin.register(get_waffle_sample_model())
class SamplesAdmin(SampleAdmin, ModelAdmin):
    """How often something is done."""


@admin.register(get_waffle_switch_model())
class SwitchesAdmin(SwitchAdmin, ModelAdmin):
    """What is on."""
