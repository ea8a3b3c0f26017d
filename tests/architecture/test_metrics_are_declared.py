"""Each touch of a metric in the platform's source names one that is declared, with its labels.

At run time an undeclared one raises only where a test comes along; this rule reads every line.
"""

import ast
from collections.abc import Iterator

from resilience.telemetry import Kind, declared_metrics
from tests.architecture.tree import ROOMS, Source, source_of, sources

TOUCHES = {kind.value: kind for kind in Kind}
ITSELF = "resilience/telemetry/"


def _faults(source: Source) -> Iterator[str]:
    if "telemetry" not in source.text or source.name.startswith(ITSELF):
        return
    metrics = {metric.name: metric for metric in declared_metrics()}
    for call in ast.walk(source.tree):
        kind = _touched(call)
        if kind is None or not isinstance(call, ast.Call):
            continue
        place = f"{source.name}:{call.lineno}"
        name = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None
        labels = [keyword.arg for keyword in call.keywords]
        if not isinstance(name, str) or None in labels:
            yield f"{place}: name and labels are written out where a metric is touched"
        elif name not in metrics or metrics[name].kind is not kind:
            yield f"{place}: no {kind} is called {name}"
        elif set(labels) != set(metrics[name].labels):
            yield f"{place}: {name} has the labels {metrics[name].labels}"


def _touched(call: ast.AST) -> Kind | None:
    if not isinstance(call, ast.Call):
        return None
    match call.func:
        case ast.Name(id=name) | ast.Attribute(value=ast.Name(id="telemetry"), attr=name):
            return TOUCHES.get(name)
    return None


def test_every_touch_is_of_a_declared_metric():
    assert [fault for source in sources(*ROOMS) for fault in _faults(source)] == []


def test_the_rule_sees_what_is_not_declared():
    text = (
        "from resilience.telemetry import counter\n"
        "counter('nobody_total').add(1)\n"
        "counter('saga_steps_total').add(1)\n"
        "counter(name).add(1)\n"
        "counter('saga_steps_total', **labels).add(1)\n"
        "telemetry.histogram('saga_steps_total', definition=1, step=1, direction=1, outcome=1)\n"
        "counter('saga_steps_total', definition=1, step=1, direction=1, outcome=1).add(1)\n"
    )

    assert sorted(fault.split(": ")[0] for fault in _faults(source_of("a.py", text))) == [
        f"a.py:{line}" for line in (2, 3, 4, 5, 6)
    ]
