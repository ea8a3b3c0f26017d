"""Writes a definition in the Amazon States Language, for those who move a saga to Step Functions.

Errors are named as outcomes are; a task is `${step_do}` or `${step_undo}`, to be substituted by what
carries it out. One rule has no word in that language: the deadline, past which a step before the
pivot is compensated instead of retried. Whoever moves a saga has to let its tasks answer Refused then.
"""

from math import ceil
from typing import Any

from resilience.retry import Jitter, RetryPolicy
from resilience.saga.decide import CRASHES_MAX, FORWARD_ONLY_RETRY, UNDO_RETRY, WAITING_POLL_INITIAL_S
from resilience.saga.definition import SagaDefinition, Step
from resilience.saga.diagram import undo_index

# The language's own limits: the largest number of retries, and the shortest interval in seconds.
RETRIES_MAX = 99_999_999
INTERVAL_S_MIN = 1

State = dict[str, Any]


def amazon_states(definition: SagaDefinition) -> State:
    """Return the state machine of a definition, ready for `json.dumps`."""
    states: dict[str, State] = {}
    for cursor, step in enumerate(definition.steps):
        states[step.name] = _do(definition, cursor)
        if step.undo and cursor <= definition.pivot_index:
            states[f"undo_{step.name}"] = _undo(definition, cursor)
    if definition.on_compensated:
        task = _task("on_compensated", "Compensated", UNDO_RETRY, gives_up_at=UNDO_RETRY.attempts_max)
        states["on_compensated"] = {**task, "Catch": [_catch(["States.ALL"], "Parked")]}
    return {
        "Comment": f"{definition.name} v{definition.version}",
        "StartAt": definition.steps[0].name,
        "States": {
            **states,
            "Completed": {"Type": "Succeed"},
            "Compensated": {"Type": "Fail", "Error": "Compensated"},
            "Parked": {"Type": "Fail", "Error": "Parked", "Cause": "An operator has to decide."},
        },
    }


def _do(definition: SagaDefinition, cursor: int) -> State:
    step = definition.steps[cursor]
    following = definition.steps[cursor + 1].name if cursor + 1 < len(definition.steps) else "Completed"
    catch = [_catch(["States.ALL"], "Parked")]
    policy = FORWARD_ONLY_RETRY
    if cursor <= definition.pivot_index:
        catch.insert(0, _catch(["Refused", "Failed"], _undo_from(definition, cursor)))
        policy = step.retry
    task = _task(f"{step.name}_do", following, policy, gives_up_at=policy.attempts_max)
    return {**task, "Catch": catch}


def _undo(definition: SagaDefinition, cursor: int) -> State:
    step: Step = definition.steps[cursor]
    before = _undo_from(definition, cursor - 1)
    task = _task(f"{step.name}_undo", before, UNDO_RETRY, gives_up_at=UNDO_RETRY.attempts_max)
    return {**task, "Catch": [_catch(["States.ALL"], "Parked")]}


def _undo_from(definition: SagaDefinition, cursor: int) -> str:
    index = undo_index(definition, cursor)
    if index is not None:
        return f"undo_{definition.steps[index].name}"
    return "on_compensated" if definition.on_compensated else "Compensated"


def _task(name: str, following: str, policy: RetryPolicy, *, gives_up_at: int | None) -> State:
    retries = RETRIES_MAX if gives_up_at is None else gives_up_at - 1
    return {
        "Type": "Task",
        "Resource": f"${{{name}}}",
        "ResultPath": f"$.{name}",
        "Retry": [
            _retry("Failed", policy, retries),
            _retry("InDoubt", policy, RETRIES_MAX),
            _retry("Waiting", RetryPolicy(wait_initial_s=WAITING_POLL_INITIAL_S), RETRIES_MAX),
            _retry("Crashed", policy, CRASHES_MAX - 1),
        ],
        "Next": following,
    }


def _retry(error: str, policy: RetryPolicy, retries: int) -> State:
    interval_s = max(INTERVAL_S_MIN, ceil(policy.wait_initial_s))
    return {
        "ErrorEquals": [error],
        "IntervalSeconds": interval_s,
        "MaxDelaySeconds": max(interval_s + 1, ceil(policy.wait_max_s)),
        "BackoffRate": 2.0,
        "MaxAttempts": retries,
        # The language knows these two.
        "JitterStrategy": "NONE" if policy.jitter is Jitter.NONE else "FULL",
    }


def _catch(errors: list[str], following: str) -> State:
    return {"ErrorEquals": errors, "ResultPath": "$.reason", "Next": following}
