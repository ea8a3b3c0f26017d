"""What an import linter cannot see: strings that name another room, and receivers that nobody calls."""

import ast
from collections.abc import Iterator

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import models

from tests.architecture.tree import ROOMS, Source, source_of, sources

# Functions that reach code by its name. `include` is config's own: it puts the addresses together.
_BY_NAME = {"get_model", "import_module", "import_string", "include", "send_task", "signature"}


def _names_of_other_rooms(source: Source) -> Iterator[str]:
    """Yield each call that reaches into another room by a string."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and _called(node) in _BY_NAME:
            for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
                if isinstance(argument, ast.Constant) and _room(argument.value) not in (None, source.room):
                    yield f"{source.name}:{node.lineno} {ast.unparse(node)}"


def _signals(source: Source) -> Iterator[str]:
    """Yield each import of Django's signals: a receiver is a call that nobody can find."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom) and node.module in (
            "django.core.signals",
            "django.db.models.signals",
            "django.dispatch",
        ):
            yield f"{source.name}:{node.lineno} {ast.unparse(node)}"


def _crossings(room_models: list[type[models.Model]]) -> list[str]:
    """Return each relation that leaves its app; the user, whom everybody may name, excepted."""
    return [
        f"{model._meta.label}.{field.name}"
        for model in room_models
        for field in model._meta.get_fields()
        if field.is_relation
        and field.related_model not in (None, get_user_model())
        and field.related_model._meta.app_label != model._meta.app_label
    ]


def test_no_relation_crosses_rooms():
    assert _crossings([model for room in ROOMS for model in apps.get_app_config(room).get_models()]) == []


def test_the_rule_sees_a_relation_that_crosses():
    user_groups = get_user_model()._meta.get_field("groups").remote_field.through

    assert _crossings([apps.get_model("admin", "LogEntry"), user_groups]) == [
        "admin.LogEntry.content_type",
    ]


def test_no_room_names_another_in_a_string():
    offenders = [
        found
        for source in sources(*ROOMS)
        if source.room != "config"
        for found in _names_of_other_rooms(source)
    ]

    assert offenders == []


@pytest.mark.parametrize(
    "text",
    [
        'apps.get_model("payments", "Payment")',
        'apps.get_model("payments.Payment")',
        'app.send_task("payments.settle", args=[])',
        'import_module(name="analytics.lake")',
        'path("", include("payments.api.urls"))',
    ],
)
def test_the_rule_sees_a_string(text: str):
    assert len(list(_names_of_other_rooms(source_of("orders/bad.py", text)))) == 1


def test_the_rule_lets_a_room_name_itself():
    text = 'apps.get_model("orders", "Order")\nimport_string("django.conf.settings")'

    assert list(_names_of_other_rooms(source_of("orders/good.py", text))) == []


def test_nobody_receives_signals():
    assert [found for source in sources(*ROOMS) for found in _signals(source)] == []


@pytest.mark.parametrize(
    "text", ["from django.dispatch import receiver", "from django.db.models.signals import post_save"]
)
def test_the_rule_sees_a_receiver(text: str):
    assert len(list(_signals(source_of("orders/bad.py", text)))) == 1


def _called(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _room(value: object) -> str | None:
    first = str(value).partition(".")[0]
    return first if first in ROOMS else None
