"""Nothing that comes from Redis, or from anywhere, is unpickled: a pickle is code that somebody sent."""

import ast
from collections.abc import Iterator

from tests.architecture.tree import ROOMS, Source, source_of, sources

_FORBIDDEN = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}


def _unpicklers(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        match node:
            case ast.Import(names=names):
                modules = [name.name for name in names]
            case ast.ImportFrom(module=str(module)):
                modules = [module]
            case _:
                continue
        for module in modules:
            if module.partition(".")[0] in _FORBIDDEN:
                yield f"{source.name}:{node.lineno} {module}"


def _users_of_djangos_cache(source: Source) -> Iterator[str]:
    """Yield imports of Django's cache, whose backend pickles what it is given."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom) and node.module in {"django.core.cache", "django_redis"}:
            yield f"{source.name}:{node.lineno} {node.module}"


def test_no_room_unpickles():
    assert [found for source in sources(*ROOMS) for found in _unpicklers(source)] == []


def test_no_room_keeps_anything_in_djangos_cache():
    assert [found for source in sources(*ROOMS) for found in _users_of_djangos_cache(source)] == []


def test_the_rule_sees_them():
    assert list(_unpicklers(source_of("a.py", "import pickle\nfrom dill import loads\n"))) == [
        "a.py:1 pickle",
        "a.py:2 dill",
    ]
    assert list(_users_of_djangos_cache(source_of("a.py", "from django.core.cache import cache\n"))) == [
        "a.py:1 django.core.cache"
    ]
