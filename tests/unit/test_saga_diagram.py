"""Drawings say what the engine does, and docs/states says what the drawings say."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from orders.sagas import CANCEL_ORDER, PLACE_ORDER
from resilience.retry import RetryPolicy
from resilience.saga.amazon_states import RETRIES_MAX, amazon_states
from resilience.saga.definition import SagaDefinition, Step
from resilience.saga.diagram import draw_edges, draw_saga
from resilience.saga.states import EDGES, SagaStatus

ROOT = Path(__file__).resolve().parent.parent.parent


def act(_runs):
    raise AssertionError("a drawing calls nobody")


SAGA = SagaDefinition(
    name="trial",
    version=3,
    steps=(
        Step(
            "hold", do=act, undo=act, retry=RetryPolicy(wait_initial_s=0.2, wait_max_s=30.0, attempts_max=4)
        ),
        Step("look", do=act),
        Step("pay", do=act, pivot=True),
        Step("tell", do=act),
    ),
    lasts_at_most=timedelta(hours=1),
    on_compensated=act,
)


def test_a_saga_is_drawn_with_its_pivot_its_way_back_and_where_it_parks():
    assert draw_saga(SAGA).splitlines() == [
        "stateDiagram-v2",
        "    [*] --> hold",
        "    hold --> look : done",
        "    hold --> undo_hold : refused, given up or cancelled",
        "    hold --> parked : crashed 5 times",
        "    look --> pay : done",
        "    look --> undo_hold : refused, given up or cancelled",
        "    look --> parked : crashed 5 times",
        '    state "pay (pivot)" as pay',
        "    pay --> tell : done",
        "    pay --> undo_hold : refused, given up or cancelled",
        "    pay --> parked : crashed 5 times",
        "    tell --> completed : done",
        "    tell --> parked : refused or given up",
        '    state "undo hold" as undo_hold',
        "    undo_hold --> compensated : done",
        "    undo_hold --> parked : refused or given up",
        "    completed --> [*]",
        '    state "compensated, act" as compensated',
        "    compensated --> [*]",
    ]


def test_an_edge_table_is_drawn_edge_by_edge():
    lines = draw_edges(EDGES, first=SagaStatus.RUNNING).splitlines()

    assert lines[:2] == ["stateDiagram-v2", "    [*] --> running"]
    assert {line.strip() for line in lines[2:]} == {
        *(f"{state} --> {target}" for state, targets in EDGES.items() for target in targets),
        "completed --> [*]",
        "compensated --> [*]",
    }


def test_a_step_of_step_functions_tries_again_as_the_step_does():
    step = amazon_states(SAGA)["States"]["hold"]

    assert step["Resource"] == "${hold_do}"
    assert step["Next"] == "look"
    assert step["Retry"][0] == {
        "ErrorEquals": ["Failed"],
        "IntervalSeconds": 1,
        "MaxDelaySeconds": 30,
        "BackoffRate": 2.0,
        "MaxAttempts": 3,
        "JitterStrategy": "FULL",
    }
    assert step["Retry"][1]["ErrorEquals"] == ["InDoubt"]
    assert step["Retry"][1]["MaxAttempts"] == RETRIES_MAX


@pytest.mark.parametrize(
    ("state", "catches"),
    [
        ("hold", [(["Refused", "Failed"], "undo_hold"), (["States.ALL"], "Parked")]),
        ("look", [(["Refused", "Failed"], "undo_hold"), (["States.ALL"], "Parked")]),
        ("pay", [(["Refused", "Failed"], "undo_hold"), (["States.ALL"], "Parked")]),
        ("tell", [(["States.ALL"], "Parked")]),
        ("undo_hold", [(["States.ALL"], "Parked")]),
    ],
)
def test_step_functions_turn_round_up_to_the_pivot_only(state: str, catches: list[tuple[list[str], str]]):
    found = amazon_states(SAGA)["States"][state]["Catch"]

    assert [(catch["ErrorEquals"], catch["Next"]) for catch in found] == catches


def test_the_way_back_ends_by_saying_so():
    states = amazon_states(SAGA)["States"]

    assert states["undo_hold"]["Next"] == "on_compensated"
    assert states["on_compensated"]["Next"] == "Compensated"


@pytest.mark.parametrize("definition", [SAGA, PLACE_ORDER, CANCEL_ORDER], ids=lambda saga: saga.name)
def test_every_state_of_step_functions_is_there_and_reachable(definition: SagaDefinition):
    machine = json.loads(json.dumps(amazon_states(definition)))
    states = machine["States"]
    targets = {name: _targets(state) for name, state in states.items()}

    reached, frontier = set(), {machine["StartAt"]}
    while frontier:
        reached |= frontier
        frontier = {target for name in frontier for target in targets[name]} - reached

    assert reached == set(states)
    for state in states.values():
        for retry in state.get("Retry", []):
            assert 1 <= retry["IntervalSeconds"] < retry["MaxDelaySeconds"]
            assert 0 < retry["MaxAttempts"] <= RETRIES_MAX


def test_docs_states_is_up_to_date():
    # A process of its own: tests may have made sagas known to this one.
    check = subprocess.run(
        [sys.executable, "manage.py", "saga_diagram", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert check.returncode == 0, check.stderr


def test_a_stale_drawing_is_seen(tmp_path: Path, settings):
    settings.BASE_DIR = tmp_path
    call_command("saga_diagram", "--write", verbosity=0)
    (tmp_path / "docs" / "states" / "saga.md").write_text("something else")

    with pytest.raises(CommandError, match=r"Stale: saga\.md\. Run"):
        call_command("saga_diagram", "--check")


def test_writing_deletes_what_is_drawn_no_longer(tmp_path: Path, settings):
    settings.BASE_DIR = tmp_path
    folder = tmp_path / "docs" / "states"
    folder.mkdir(parents=True)
    (folder / "gone.v1.md").write_text("a saga of last year")

    call_command("saga_diagram", "--write", verbosity=0)

    assert {"order.md", "payment.md", "saga.md", "place_order.v1.md", "place_order.v1.asl.json"} <= {
        file.name for file in folder.iterdir()
    }
    assert not (folder / "gone.v1.md").exists()


def _targets(state: dict) -> set[str]:
    return {catch["Next"] for catch in state.get("Catch", [])} | (
        {state["Next"]} if "Next" in state else set()
    )
