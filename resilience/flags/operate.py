"""What an operator does to a switch, a flag or a sample; written down with who and why."""

from dataclasses import dataclass
from datetime import datetime

from django.db import models, transaction
from waffle import get_waffle_flag_model, get_waffle_sample_model, get_waffle_switch_model

from resilience.errors import Refusal
from resilience.flags.declaration import Declaration, Flag, Sample, Switch, declared
from resilience.flags.models import FlagChange


class UndeclaredFlagError(Refusal):
    """No code reads a flag of this name; setting it would do nothing."""

    code = "flag_not_declared"


class FlagValueError(Refusal):
    """A switch is on or off; a flag also a percentage; a sample only a percentage."""

    code = "flag_value_invalid"


@dataclass(frozen=True)
class Wish:
    """What somebody wants. `value`: "on", "off", or a percentage below 100 with one decimal at most."""

    name: str
    value: str
    operator: str
    reason: str
    now: datetime


def set_flag(wish: Wish) -> FlagChange:
    """Set it; every process knows within a second. Raises UndeclaredFlagError, FlagValueError."""
    declaration = next((one for one in declared() if one.name == wish.name), None)
    if declaration is None:
        known = ", ".join(one.name for one in declared())
        raise UndeclaredFlagError(f"There is no flag {wish.name}; there are {known}.")
    if not wish.reason.strip():
        raise FlagValueError("Say why; whoever looks at it later has only that.")
    with transaction.atomic():
        _model(declaration)._default_manager.update_or_create(
            name=wish.name, defaults=_fields(declaration, wish.value)
        )
        return FlagChange.objects.create(
            name=wish.name, change=f"set to {wish.value}", by=wish.operator, reason=wish.reason, at=wish.now
        )


def _fields(declaration: Declaration, value: str) -> dict[str, object]:
    match declaration, value:
        case Switch(), "on" | "off":
            return {"active": value == "on"}
        case Flag(), "on" | "off":
            return {"everyone": value == "on"}
        case Flag(), _:
            return {"everyone": None, "percent": _percent(value)}
        case Sample(), _ if value not in ("on", "off"):
            return {"percent": _percent(value)}
        case _:
            raise FlagValueError(f"{declaration.name} cannot be {value!r}: {FlagValueError.__doc__}")


def _percent(value: str) -> float:
    try:
        percent = float(value.removesuffix("%"))
    except ValueError:
        raise FlagValueError(f"{value!r} is neither on, off nor a percentage.") from None
    if not 0 <= percent < 100 or round(percent, 1) != percent:
        raise FlagValueError(
            f"{value!r} is not a percentage from 0 to 99.9 with one decimal at most; for all, say on."
        )
    return percent


def _model(declaration: Declaration) -> type[models.Model]:
    match declaration:
        case Switch():
            return get_waffle_switch_model()
        case Flag():
            return get_waffle_flag_model()
        case _:
            return get_waffle_sample_model()
