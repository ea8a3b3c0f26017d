"""Every Redis client is told to try once: redis-py 8 tries eleven times by itself, under whoever retries."""

import ast
import re

from tests.architecture.tree import ROOMS, sources

_OFF = "Retry(NoBackoff(), 0)"
# How a client or a pool of redis-py comes about.
_MAKERS = ("Redis", "Redis.from_url", "ConnectionPool", "ConnectionPool.from_url")


def _retrying(tree: ast.AST) -> list[int]:
    """Return the lines on which a client is made that retries."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and _is_maker(ast.unparse(node.func))
        and not any(_tries_once(word) for word in node.keywords)
    ]


def _tries_once(word: ast.keyword) -> bool:
    # A client of a pool does what the pool was told.
    return word.arg == "connection_pool" or (word.arg == "retry" and ast.unparse(word.value) == _OFF)


def _is_maker(name: str) -> bool:
    return any(name.removeprefix("redis.").removeprefix("asyncio.") == maker for maker in _MAKERS)


def test_every_redis_client_tries_once():
    # psycopg has pools of that name too.
    found = {
        source.name: _retrying(source.tree)
        for source in sources(*ROOMS)
        if re.search(r"^(import|from) redis\b", source.text, re.MULTILINE)
    }

    assert len(found) > 4
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_the_rule_sees_a_client_that_retries():
    code = """
redis.Redis(host="one")
redis.Redis.from_url("redis://", retry=Retry(ExponentialBackoff(), 3))
redis.asyncio.Redis.from_url("redis://")
Redis.from_url("redis://", retry=None)
redis.ConnectionPool.from_url("redis://")
redis.Redis.from_url("redis://", retry=Retry(NoBackoff(), 0))
"""

    assert _retrying(ast.parse(code)) == [2, 3, 4, 5, 6]
