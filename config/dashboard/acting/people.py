"""What an administrator may do for somebody who has lost their second factor."""

from collections.abc import Sequence

from django.contrib.auth.models import User

from config.dashboard.acting.act import Act, Foreseen, Kept, NoSuchSubjectError, Wish, missing
from config.dashboard.second_factor.devices import has_second_factor, reset

_DIGITS_MAX = 9


def _person(id_: str) -> User | None:
    if not (id_.isascii() and id_.isdigit() and len(id_) <= _DIGITS_MAX):
        return None
    return User.objects.using("default").filter(pk=int(id_)).first()


def _foresee(ids: Sequence[str]) -> list[Foreseen]:
    return [_one(one, _person(one)) for one in ids]


def _one(id_: str, person: User | None) -> Foreseen:
    if person is None:
        return missing(id_)
    refusal = "" if has_second_factor(person) else "They have set up none."
    return Foreseen(
        id_, person.get_username(), "The password alone signs in until another is set up.", refusal
    )


def _reset(wish: Wish) -> str:
    person = _person(wish.id)
    if person is None:
        raise NoSuchSubjectError(f"There is no person {wish.id}.")
    reset(person)
    return f"has none any more ({person.get_username()})"


ACTS = (
    Act(
        "second-factor-reset",
        "Take the second factor away",
        "Make sure that it is they who ask: whoever has their password can then sign in.",
        _foresee,
        _reset,
        kept=Kept.TOGETHER,
        is_dangerous=True,
        permission="auth.change_user",
    ),
)
