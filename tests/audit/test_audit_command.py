"""`manage.py audit`: what it prints, how it exits, and what it does when it cannot tell."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from config.audit.checks import charges_have_orders
from resilience.audit import Check, Findings, Kind, Moment, Verdict, checks, registry
from resilience.clock import now
from tests.audit import plants
from tests.audit_kit import World, audit, execute, result_of
from tests.orders_kit import place


def run(*arguments: str) -> tuple[int, str]:
    """Return the exit code and what was printed."""
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("audit", *arguments, stdout=out)
    return int(ended.value.code or 0), out.getvalue()


@pytest.fixture
def raising(monkeypatch: pytest.MonkeyPatch) -> str:
    """A check that can never tell."""

    def find(_moment: Moment) -> Findings:
        execute("SELECT 1 / 0")
        raise AssertionError("never reached")

    check = Check("X1", "Cannot be told", Kind.SAFETY, find)
    monkeypatch.setattr(registry, "_checks", {**registry._checks, "X1": check})
    return check.id


def test_it_exits_with_0_when_all_is_well(world: World):
    code, printed = run()

    assert code == 0
    assert "pass: 36 pass" in printed


def test_it_exits_with_1_and_names_the_rows_of_a_violation(world: World):
    [(row,)] = plants.b4(world)

    code, printed = run()

    assert code == 1
    assert "fail: 35 pass, 1 fail" in printed
    assert f"keeps 100 for refunds, of which 0 is pending.  ({row})" in printed


def test_it_exits_with_2_when_a_check_cannot_tell(world: World, raising: str):
    code, printed = run()

    assert code == 2
    assert "unknown: 36 pass, 1 unknown" in printed
    assert "division by zero" in printed


def test_a_violation_is_worse_than_what_cannot_be_told(world: World, raising: str):
    plants.b4(world)

    assert run()[0] == 1


def test_a_check_that_raises_leaves_the_others_their_verdict(world: World, raising: str):
    report = audit()

    told = {result.check.id: result.verdict for result in report.results}
    assert told.pop(raising) is Verdict.UNKNOWN
    assert set(told.values()) == {Verdict.PASS}


def test_a_silent_gateway_makes_its_checks_unknown_and_no_others(world: World):
    world.gateway.kill()

    report = audit()

    unknown = {result.check.id for result in report.results if result.verdict is Verdict.UNKNOWN}
    assert unknown == {"C1", "C2", "C3", "C4", "C5", "C6", "C8", "L3"}
    assert "sandbox-1: ConnectError" in result_of(report, "C1").error
    assert report.verdict is Verdict.UNKNOWN


def test_a_doubt_is_no_violation_while_its_gateway_is_silent(world: World):
    plants.c9(world)
    world.gateway.kill()

    assert result_of(audit("C9"), "C9").verdict is Verdict.PASS


def test_the_json_is_one_object_with_a_verdict_for_each_check(world: World):
    [(row,)] = plants.b4(world)

    code, printed = run("--json", "--quiescent")

    told: dict[str, Any] = json.loads(printed)
    assert code == 1
    assert told.keys() == {"verdict", "started_at", "finished_at", "under_way", "checks"}
    assert told["verdict"] == "fail"
    assert [check["id"] for check in told["checks"]] == [check.id for check in checks()]
    wrong = next(check for check in told["checks"] if check["id"] == "B4")
    assert wrong.pop("took_ms") >= 0
    assert wrong == {
        "id": "B4",
        "title": "Reserved is what is pending",
        "kind": "safety",
        "verdict": "fail",
        "total": 1,
        "violations": [
            {"message": f"{row.capitalize()} keeps 100 for refunds, of which 0 is pending.", "rows": [row]}
        ],
        "error": "",
    }


def test_only_the_named_checks_are_made(world: World):
    report = audit("L3", "C1")

    assert [result.check.id for result in report.results] == ["C1", "L3"]


def test_an_unknown_check_is_refused():
    with pytest.raises(CommandError, match="there is no check Z9") as refused:
        call_command("audit", "--check", "Z9")

    assert refused.value.returncode == 2


def test_checks_of_rest_wait_until_nothing_is_under_way(world: World):
    place()

    code, printed = run()

    assert code == 0
    assert "pass: 30 pass, 6 skipped; under way: 1 sagas" in printed


def test_what_is_stuck_is_seen_though_it_is_under_way(world: World):
    plants.o8(world)

    report = audit(is_quiescent=False)

    assert result_of(report, "O8").verdict is Verdict.FAIL
    assert result_of(report, "C4").verdict is Verdict.SKIPPED


def test_without_a_book_a_check_of_the_book_cannot_pass():
    with pytest.raises(Exception, match="GatewayBook was not heard"):
        charges_have_orders(Moment(now()))
