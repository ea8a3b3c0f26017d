"""An act: what is asked before it is done, and the doing of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, TypeVar
from uuid import UUID, uuid4

from django import forms
from django.db.models import Model, QuerySet
from unfold.widgets import UnfoldAdminTextareaWidget

from config.dashboard.page import OPERATE
from resilience.errors import Refusal

RowT = TypeVar("RowT", bound=Model)


class ReasonForm(forms.Form):
    """What every act asks for. `once`: this form, so that sent twice it does its deed once."""

    reason = forms.CharField(
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text="Kept with what you do, for whoever looks at it later.",
    )

    once = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)

    field_order: list[str] | None = None


@dataclass(frozen=True)
class Foreseen:
    """What an act would do to one subject. `refusal`: why it cannot be done; "" when it can."""

    id: str
    title: str
    what: str = ""
    refusal: str = ""


@dataclass(frozen=True)
class Wish:
    """Who wants it done to which subject, one of `of`, why, when; `values`: what else the form asked for."""

    id: str
    by: str
    reason: str
    now: datetime
    values: Mapping[str, Any] = field(default_factory=dict)
    of: int = 1


class Kept(Enum):
    """Who writes the deed down."""

    BY_ITSELF = "what it calls keeps a log of its own"
    TOGETHER = "the audit trail, in the transaction of the deed"
    AROUND = "the audit trail, before it begins and after it ended: it commits piece by piece"


@dataclass(frozen=True)
class Act:
    """Something that can be done to one subject or to many, each by itself.

    `foresee` looks and changes nothing; `do` decides anew, returns what it did in words and raises Refusal
    (Operational when a part is away); what is foreseen to be refused is not tried. `undo` names the act that
    takes it back, "" when nothing does.
    """

    name: str
    title: str
    consequences: str
    foresee: Callable[[Sequence[str]], list[Foreseen]]
    do: Callable[[Wish], str]
    form: type[ReasonForm] = ReasonForm
    kept: Kept = Kept.BY_ITSELF
    is_dangerous: bool = False
    undo: str = ""
    permission: str = OPERATE


class NoSuchSubjectError(Refusal):
    """What an act should be done to is not there."""

    code = "subject_not_found"


def foreseeing(
    rows: Callable[[], QuerySet[RowT]], describe: Callable[[RowT], Foreseen]
) -> Callable[[Sequence[str]], list[Foreseen]]:
    """Return a `foresee` for subjects that are rows with a UUID."""

    def foresee(ids: Sequence[str]) -> list[Foreseen]:
        found = {str(row.pk): row for row in rows().filter(pk__in=_uuids(ids))}
        return [describe(found[one]) if one in found else missing(one) for one in ids]

    return foresee


def uuid_of(wish: Wish) -> UUID:
    """Return the subject's id; raises NoSuchSubjectError when it is none."""
    try:
        return UUID(wish.id)
    except ValueError:
        raise NoSuchSubjectError(f"{wish.id} is no id.") from None


def missing(id_: str) -> Foreseen:
    """Return what is said of a subject that is not there."""
    return Foreseen(id_, id_, refusal="There is no such thing.")


def _uuids(ids: Sequence[str]) -> list[UUID]:
    found = []
    for one in ids:
        try:
            found.append(UUID(one))
        except ValueError:
            continue
    return found
