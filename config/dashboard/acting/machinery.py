"""What may be done to breakers and flags."""

from collections.abc import Sequence
from datetime import timedelta

from django import forms
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from config.dashboard.acting.act import Act, Foreseen, ReasonForm, Wish
from resilience.breaker import Force
from resilience.breaker.operate import LASTS_AT_MOST, Instruction, force, release
from resilience.breaker.registry import is_name
from resilience.flags import declared
from resilience.flags.operate import Wish as FlagWish
from resilience.flags.operate import set_flag

_MINUTES_MAX = int(LASTS_AT_MOST / timedelta(minutes=1))


class ForceForm(ReasonForm):
    """Which state, and for how long."""

    state = forms.ChoiceField(
        choices=[(one.value, one.value.replace("_", " ")) for one in Force],
        widget=UnfoldAdminSelectWidget,
    )
    minutes = forms.IntegerField(
        initial=60,
        min_value=1,
        max_value=_MINUTES_MAX,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Then it ends by itself.",
    )
    field_order: list[str] | None = ["state", "minutes", "reason"]


class ValueForm(ReasonForm):
    """What a flag is set to."""

    value = forms.CharField(
        max_length=10,
        widget=UnfoldAdminTextInputWidget,
        help_text="on, off, or (for a flag or a sample) a percentage below 100 such as 20%.",
    )
    field_order: list[str] | None = ["value", "reason"]


def _foresee_forcing(ids: Sequence[str]) -> list[Foreseen]:
    return [
        Foreseen(one, one, "In every process, within a beat of the pulse (0.25 s).")
        if is_name(one)
        else Foreseen(one, one, refusal="No breaker can be called so.")
        for one in ids
    ]


def _force(wish: Wish) -> str:
    until = wish.now + timedelta(minutes=wish.values["minutes"])
    instruction = Instruction(wish.id, wish.by, wish.reason, wish.now)
    force(instruction, state=Force(wish.values["state"]), until=until)
    return f"is {wish.values['state'].replace('_', ' ')} until {until:%Y-%m-%d %H:%M:%S} UTC"


def _release(wish: Wish) -> str:
    release(Instruction(wish.id, wish.by, wish.reason, wish.now))
    return "decides for itself again"


def _foresee_setting(ids: Sequence[str]) -> list[Foreseen]:
    known = {one.name: one for one in declared()}
    return [
        Foreseen(one, one, f"{known[one].purpose} Every process knows within a second.")
        if one in known
        else Foreseen(one, one, refusal="No code reads a flag of this name.")
        for one in ids
    ]


def _set(wish: Wish) -> str:
    change = set_flag(FlagWish(wish.id, wish.values["value"].strip(), wish.by, wish.reason, wish.now))
    return f"is {change.change}"


ACTS = (
    Act(
        "breaker-force",
        "Force a state",
        "Forced open: nothing is asked of the dependency, and sagas wait without spending attempts. "
        "Forced closed: everything passes, whatever the figures say.",
        _foresee_forcing,
        _force,
        form=ForceForm,
        is_dangerous=True,
        undo="breaker-release",
    ),
    Act(
        "breaker-release",
        "Let it decide for itself",
        "What was forced ends now; the breaker goes by its figures again.",
        _foresee_forcing,
        _release,
    ),
    Act(
        "flag-set",
        "Set the flag",
        "It holds for every web and worker process, and stays until somebody sets it again.",
        _foresee_setting,
        _set,
        form=ValueForm,
        is_dangerous=True,
    ),
)
