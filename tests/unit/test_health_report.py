"""What health means, without a server: statuses, readiness, what is reduced, since when."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from resilience.health.backlogs import Backlog, Backlogs
from resilience.health.check import Check, Finding, Scope, Status, at_least
from resilience.health.report import Report, Runner, as_document, judge
from resilience.pulse import Query
from resilience.signs import Signs

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
HARD = Check("part:hard", "datastore", Scope.SHARED, True, "nothing works", lambda: Finding(Status.PASS))
LOCAL = replace(HARD, name="part:local", scope=Scope.LOCAL)
SOFT = replace(HARD, name="part:soft", is_hard=False, meaning="it is slow")


def _failing(check: Check, output: str = "it is away") -> Check:
    return replace(check, look=lambda: Finding(Status.FAIL, output=output))


def _report(
    *checks: Check, before: Report | None = None, shared: bool = False, now: datetime = NOW
) -> Report:
    return judge(checks, before=before, now=now, fleet_shares_it=shared)


@pytest.mark.parametrize(
    ("checks", "shared", "status", "readiness"),
    [
        ((HARD, SOFT), False, "pass", "pass"),
        ((HARD, _failing(SOFT)), False, "warn", "pass"),
        ((_failing(HARD), SOFT), False, "fail", "fail"),
        ((_failing(HARD), SOFT), True, "fail", "warn"),
        ((_failing(LOCAL), SOFT), True, "fail", "fail"),
        ((_failing(LOCAL), _failing(HARD)), True, "fail", "fail"),
        ((_failing(SOFT),), True, "warn", "pass"),
    ],
)
def test_only_a_hard_part_that_others_have_takes_a_process_out(checks, shared, status, readiness):
    report = _report(*checks, shared=shared)

    assert (report.status, report.readiness) == (status, readiness)


def test_a_status_is_known_since_it_changed():
    first = _report(HARD, SOFT)
    second = _report(HARD, _failing(SOFT), before=first, now=NOW + timedelta(seconds=1))
    third = _report(HARD, _failing(SOFT), before=second, now=NOW + timedelta(seconds=2))

    since = {result.check.name: result.since for result in third.results}
    assert since == {"part:hard": NOW, "part:soft": NOW + timedelta(seconds=1)}


def test_what_is_reduced_is_said_in_words_the_hard_first():
    report = _report(_failing(SOFT, "5 s behind"), _failing(HARD))

    assert [(one.part, one.meaning, one.output) for one in report.reductions] == [
        ("part:hard", "nothing works", "it is away"),
        ("part:soft", "it is slow", "5 s behind"),
    ]
    assert as_document(report)["reduced"][0]["meaning"] == "nothing works"


def test_a_check_that_fails_itself_warns_and_hides_nobody():
    def broken() -> Finding:
        raise ZeroDivisionError("oh")

    report = _report(replace(SOFT, look=broken), HARD)

    assert [result.finding.status for result in report.results] == ["warn", "pass"]
    assert "ZeroDivisionError" in report.results[0].finding.output


def test_a_number_warns_then_fails():
    found = [at_least(value, warn=5, fail=60, unit="s", output="late") for value in (4.9, 5, 59, 60)]

    assert [(one.status, one.output) for one in found] == [
        ("pass", ""),
        ("warn", "late"),
        ("warn", "late"),
        ("fail", "late"),
    ]


class _Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def _backlogs(clock: _Clock) -> tuple[Backlogs, Backlog]:
    backlog = Backlog("b:age", "s", lambda: Query("SELECT 1"), 5, 60, "waits", "behind")
    member = Backlogs(monotonic=clock)
    member.add(backlog)
    return member, backlog


def test_backlogs_are_asked_when_somebody_wants_to_know_and_not_at_each_beat():
    clock = _Clock()
    member, _ = _backlogs(clock)
    assert member.question("default") is None

    member.is_wanted = True
    assert member.question("replica") is None
    assert member.question("default") == Query("SELECT jsonb_build_object(%s::text, (SELECT 1))", ("b:age",))
    assert member.question("default") is None
    clock.now += 2
    assert member.question("default") is not None


def test_a_backlog_that_was_not_answered_lately_is_not_known():
    clock = _Clock()
    member, backlog = _backlogs(clock)
    assert member.finding(backlog).status == "warn"

    member.answer("default", {"b:age": 3}, clock.now)
    assert member.finding(backlog) == Finding(Status.PASS, 3.0, "s")
    clock.now += 11
    assert "Not known" in member.finding(backlog).output


@pytest.mark.parametrize(
    ("value", "status", "number", "output"),
    [
        (None, "pass", 0.0, ""),
        (-3, "pass", 0.0, ""),
        ({}, "pass", 0.0, ""),
        ({"a": 7, "b": None}, "warn", 7.0, "behind (a)"),
        ({"a": 7, "b": 61}, "fail", 61.0, "behind (b)"),
    ],
)
def test_the_worst_of_many_is_named(value, status, number, output):
    member, backlog = _backlogs(_Clock())
    member.answer("default", {"b:age": value}, 100.0)

    assert member.finding(backlog) == Finding(Status(status), number, "s", output)


def test_signs_are_kept_until_they_were_told():
    clock = _Clock()
    signs = Signs(monotonic=clock)
    signs.give("worker")
    told = _Pipeline()
    signs.queue(told)
    signs.miss_redis()
    again = _Pipeline()
    signs.queue(again)

    assert told.signs == again.signs == ["worker"]
    signs.hear([[10_000, 2, [b"worker|a:1", b"4000", b"worker|b:2", b"9500", b"beat|a:1", b"1000"]]])
    clock.now += 1
    assert signs.age_s("worker") == pytest.approx(1.5)
    assert signs.age_s("dispatcher") is None
    assert signs.blind_count == 2
    silent = _Pipeline()
    signs.queue(silent)
    assert silent.signs == []


def test_a_runner_that_stands_still_says_nothing():
    clock = _Clock()
    runner = Runner(monotonic=clock)
    assert runner.last() is None
    report = runner.run_once()

    assert runner.last() is report
    clock.now += 6
    assert runner.last() is None


class _Pipeline:
    signs: list[str]

    def eval(self, _script: str, _keys: int, *arguments: str) -> None:
        self.signs = [sign.partition("|")[0] for sign in arguments[6:]]
