"""A client matches on an error's code, so each error has one of its own."""

import importlib
import re
from collections import Counter

from resilience.errors import HoldfastError, Operational, Refusal
from tests.architecture.tree import ROOMS, sources

_BASES = {HoldfastError, Refusal, Operational}


def _errors() -> set[type[HoldfastError]]:
    for source in sources(*ROOMS):
        if re.search(r"\bcode = \"", source.text) and "/sandbox/" not in source.name:
            importlib.import_module(
                source.name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            )
    return {error for error in _below(HoldfastError) if error.__module__.partition(".")[0] in ROOMS} - _BASES


def _below(error: type[HoldfastError]) -> set[type[HoldfastError]]:
    return {error}.union(*(_below(child) for child in error.__subclasses__()))


def _faults(errors: set[type[HoldfastError]]) -> list[str]:
    own = {error: vars(error).get("code", "") for error in errors | _BASES}
    shared = {code for code, uses in Counter(own.values()).items() if uses > 1}
    return sorted(
        f"{error.__name__}: {code!r}"
        for error, code in own.items()
        if code in shared or not re.fullmatch(r"[a-z]+(_[a-z]+)*", code)
    )


def test_every_error_has_a_code_of_its_own():
    assert len(_errors()) > 20
    assert _faults(_errors()) == []


def test_every_error_says_what_it_is():
    assert [error.__name__ for error in _errors() if not error.__doc__] == []


def test_the_rule_sees_a_code_that_is_missing_or_taken():
    # Bound to no module of a room, so that the walk above does not meet them.
    nameless = type("Nameless", (Refusal,), {})
    copied = type("Copied", (Operational,), {"code": "refused"})

    assert _faults({nameless, copied}) == ["Copied: 'refused'", "Nameless: ''", "Refusal: 'refused'"]
