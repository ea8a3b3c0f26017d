"""A file of 300 lines or a function of 40 holds two ideas."""

import ast
from collections.abc import Iterator

from tests.architecture.tree import ROOMS, Source, source_of, sources

FILE_LINES_MAX = 300
FUNCTION_LINES_MAX = 40
FOLDERS = (*ROOMS, "benchmarks")


def _long_functions(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = _lines(source, node)
            if lines > FUNCTION_LINES_MAX:
                yield f"{source.name}: {node.name} has {lines} lines"


def _lines(source: Source, function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return how many lines of logic the body has.

    Neither its docstring nor blank lines count; a literal counts as one line, however long its table is.
    """
    body = function.body[1:] if ast.get_docstring(function) else function.body
    lines = {line for statement in body for line in range(statement.lineno, _end(statement) + 1)}
    folded = {line for statement in body for line in _folded(statement)}
    return sum(bool(source.text_of(line).strip()) for line in lines - folded)


def _folded(node: ast.AST) -> set[int]:
    if isinstance(node, ast.List | ast.Dict | ast.Set | ast.Tuple):
        return set(range(node.lineno + 1, _end(node) + 1))
    return set().union(*(_folded(child) for child in ast.iter_child_nodes(node)))


def _end(node: ast.expr | ast.stmt) -> int:
    return node.end_lineno or node.lineno


def test_no_file_is_longer_than_an_idea():
    lengths = {source.name: source.text.count("\n") for source in sources(*FOLDERS)}

    assert {name: length for name, length in lengths.items() if length > FILE_LINES_MAX} == {}


def test_no_function_needs_scrolling():
    assert [found for source in sources(*FOLDERS) for found in _long_functions(source)] == []


def test_the_rule_counts_logic_only():
    docstring = '    """' + "Say.\n" * 60 + '    """\n'
    table = "    return [\n" + "        1,\n" * 60 + "    ]\n"

    assert list(_long_functions(source_of("a.py", f"def short():\n{docstring}{table}"))) == []
    assert list(_long_functions(source_of("a.py", "def long():\n" + "    act()\n" * 41))) == [
        "a.py: long has 41 lines"
    ]
