"""No `countdown` and no `eta`: past the visibility timeout Redis delivers such a message again and again.

A test and not a system check, because it reads the source, which a deployed image need not carry
(kombu #337, celery #7009: up to a hundred runs of one task). Waiting is `due_at` on a row.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parent.parent.parent
_ROOMS = ("config", "resilience", "payments", "orders", "analytics")
_FORBIDDEN = {"countdown", "eta"}


def _waits(source: str) -> Iterator[int]:
    """Yield the line of each call with a forbidden keyword, and of each dict that has it as a key."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            if any(keyword.arg in _FORBIDDEN for keyword in node.keywords):
                yield node.lineno
        elif isinstance(node, ast.Dict) and any(
            isinstance(key, ast.Constant) and key.value in _FORBIDDEN for key in node.keys
        ):
            yield node.lineno


def test_no_room_lets_celery_wait():
    offenders = [
        f"{path.relative_to(_ROOT)}:{line}"
        for room in _ROOMS
        for path in sorted((_ROOT / room).rglob("*.py"))
        for line in _waits(path.read_text())
    ]

    assert offenders == []


@pytest.mark.parametrize(
    "source",
    [
        "task.apply_async(args, countdown=5)",
        "task.apply_async(eta=now)",
        "self.retry(countdown=2 ** n)",
        'send(**{"countdown": 1})',
        'OPTIONS = {"eta": now}',
    ],
)
def test_the_rule_sees_a_wait(source: str):
    assert list(_waits(source)) == [1]
