"""Holding a game day."""

from collections.abc import Sequence

from django import forms
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldBooleanWidget

from config.dashboard.acting.act import Act, Foreseen, Kept, NoSuchSubjectError, ReasonForm, Wish, missing
from config.dashboard.gamedays.holding import begin, has_proxies, is_possible, under_way
from config.gameday.scenario import Scenario
from config.gameday.scenarios import SCENARIOS

_BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
# A laptop's stack takes some sixty a second.
_RATE_MAX = 200


class HoldForm(ReasonForm):
    """How hard, and how long."""

    rate = forms.IntegerField(
        initial=8,
        min_value=1,
        max_value=_RATE_MAX,
        widget=UnfoldAdminIntegerFieldWidget,
        label="Orders a second",
    )
    is_short = forms.BooleanField(
        required=False,
        widget=UnfoldBooleanWidget,
        label="Seconds instead of minutes",
    )
    field_order: list[str] | None = ["rate", "is_short", "reason"]


def _foresee(ids: Sequence[str]) -> list[Foreseen]:
    return [_one(one, _BY_NAME.get(one)) for one in ids]


def _one(name: str, scenario: Scenario | None) -> Foreseen:
    if scenario is None:
        return missing(name)
    return Foreseen(name, f"{name}: {scenario.title}", f"Expects: {_expects(scenario)}.", _why_not(scenario))


def _why_not(scenario: Scenario) -> str:
    if not is_possible():
        return "Only an embedded stack, whose gateways are sandboxes, may be broken."
    if under_way() is not None:
        return "A game day is under way: wait for its end."
    if scenario.needs_proxies and not has_proxies():
        return "It needs a stack with proxies: make up ARGS=--with-proxies"
    return ""


def _expects(scenario: Scenario) -> str:
    return "; ".join(expectation.says for expectation in scenario.expects)


def _hold(wish: Wish) -> str:
    if wish.id not in _BY_NAME:
        raise NoSuchSubjectError(f"There is no scenario {wish.id}.")
    begin(wish.id, rate=wish.values["rate"], is_short=wish.values["is_short"], now=wish.now)
    return "has begun"


ACTS = (
    Act(
        "gameday-hold",
        "Hold the game day",
        "Parts of this very stack are broken on purpose, under load, and healed; then an audit looks at "
        "every order. Those that are placed meanwhile are among them, and none may be lost.",
        _foresee,
        _hold,
        form=HoldForm,
        kept=Kept.AROUND,
        is_dangerous=True,
    ),
)
