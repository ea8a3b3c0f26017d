"""A room's `public.py` and a package's `__init__` promise something: sorted, typed, documented."""

import importlib
import inspect
from collections.abc import Callable
from types import FunctionType

import pytest

from tests.architecture.tree import ROOMS, sources


def _faces() -> list[str]:
    return [
        source.module
        for source in sources(*ROOMS)
        if source.name.endswith(("/public.py", "/__init__.py")) and "__all__" in source.text
    ]


def _faults(name: str, function: Callable[..., object], *, keyword_only: bool) -> list[str]:
    """Return what `function` leaves unsaid."""
    signature = inspect.signature(function)
    faults = [] if inspect.getdoc(function) else [f"{name} is not documented"]
    if signature.return_annotation is inspect.Signature.empty:
        faults.append(f"{name} does not say what it returns")
    for parameter in signature.parameters.values():
        if parameter.annotation is inspect.Parameter.empty:
            faults.append(f"{name}: {parameter.name} has no type")
        if keyword_only and parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            faults.append(f"{name}: {parameter.name} may be given by position")
    return faults


@pytest.mark.parametrize("face", _faces())
def test_a_face_is_sorted_and_complete(face: str):
    module = importlib.import_module(face)

    assert list(module.__all__) == sorted(module.__all__)
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


@pytest.mark.parametrize("face", _faces())
def test_what_a_face_offers_is_typed_and_documented(face: str):
    module = importlib.import_module(face)
    offered = {name: getattr(module, name) for name in module.__all__}

    faults = [
        fault
        for name, thing in offered.items()
        if isinstance(thing, FunctionType)
        for fault in _faults(name, thing, keyword_only=face.endswith(".public"))
    ]
    undocumented = [name for name, thing in offered.items() if isinstance(thing, type) and not thing.__doc__]

    assert faults == []
    assert undocumented == []


def test_what_a_room_has_in_public_is_all_promised():
    module = importlib.import_module("payments.public")
    own = {
        name
        for name, thing in vars(module).items()
        if getattr(thing, "__module__", "") == "payments.public" and not name.startswith("_")
    }

    assert own - set(module.__all__) == set()


def test_the_rule_sees_what_is_left_unsaid():
    def silent(order, *, when: int):
        return order, when

    assert _faults("silent", silent, keyword_only=True) == [
        "silent is not documented",
        "silent does not say what it returns",
        "silent: order has no type",
        "silent: order may be given by position",
    ]
