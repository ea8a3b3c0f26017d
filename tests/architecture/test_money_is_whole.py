"""No fraction comes near an amount: in orders and payments, a float measures seconds or draws an account."""

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.tree import Source, source_of, sources

# The sandbox's probabilities and latencies are its own affair; its amounts are checked by its witness.
ELSEWHERE = "payments/sandbox/"
# What is real by nature, by the end of its name. A deadline is an instant of the monotonic clock; a chance
# and a score order the accounts that a payment may go to.
_SECONDS = ("_s", "_S", "_s_max", "_S_MAX", "deadline", "since")
_SHARES = ("chance", "_score")
_REAL = _SECONDS + _SHARES


def _fractions(source: Source) -> Iterator[str]:
    """Yield each float, division or rounding that is not given to a name of something real."""
    yield from _walk(source, source.tree, is_real=False)


def _walk(source: Source, node: ast.AST, *, is_real: bool) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        real = any(name.endswith(_REAL) for name in _named(child)) if _named(child) else is_real
        if _is_fraction(child) and not real:
            yield f"{source.name}:{child.lineno} {ast.unparse(child)}"
        else:
            yield from _walk(source, child, is_real=real)


def _named(node: ast.AST) -> list[str]:
    """Return the names that `node` gives to what is inside it."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return [name]
        case ast.arg(arg=str(name)) | ast.keyword(arg=str(name)):
            return [name]
        case ast.Assign(targets=targets):
            return [ast.unparse(target) for target in targets]
        case ast.AnnAssign(target=target) | ast.AugAssign(target=target):
            return [ast.unparse(target)]
    return []


def _is_fraction(node: ast.AST) -> bool:
    match node:
        case ast.Constant(value=float()) | ast.Name(id="float" | "round" | "Decimal" | "Fraction"):
            return True
        case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
            return True
    return False


def test_no_fraction_comes_near_an_amount():
    offenders = [
        found
        for source in sources("orders", "payments")
        if not source.name.startswith(ELSEWHERE)
        for found in _fractions(source)
    ]

    assert offenders == []


@pytest.mark.parametrize(
    "text",
    [
        "total_minor = price * 1.19",
        "half_minor = total_minor / 2",
        "total_minor /= 2",
        "amount_minor = round(total)",
        "def share(amount: float) -> int: ...",
        "pay(amount_minor=float(text))",
        "def wait_s() -> None:\n    amount_minor = 0.5",
        "def share_score(amount_minor: float) -> None: ...",
    ],
)
def test_the_rule_sees_a_fraction(text: str):
    assert len(list(_fractions(source_of("orders/bad.py", text)))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "WAIT_S = 0.5",
        "retry(wait_initial_s=0.5)",
        "def wait(at_most_s: float) -> None: ...",
        "a = 7 // 2",
        "def _score() -> float:\n    return 1 / 2",
    ],
)
def test_the_rule_lets_seconds_and_shares_be_real(text: str):
    assert list(_fractions(source_of("orders/good.py", text))) == []
