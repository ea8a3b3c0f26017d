"""The report of a game day, as page, as data, and as a verdict."""

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from config.gameday import expect, faults
from config.gameday.report import as_markdown, write_report
from config.gameday.run import Outcome
from config.gameday.scenario import Scenario
from config.gameday.seen import Request, Sample, Seen, Window

HELD_AT = datetime(2026, 11, 26, 2, 0, 5, tzinfo=UTC)
SCENARIO = Scenario(
    name="nothing",
    title="Nothing goes wrong.",
    fault=faults.nothing,
    expects=(expect.all_accepted(), expect.all_confirmed()),
)
VIOLATION = [{"id": "C1", "title": "No double charge", "violations": [{"message": "order 7 twice"}]}]


def outcome(*, audit: str = "pass", status: int = 201) -> Outcome:
    seen = Seen(
        steady=Window(0, 10),
        fault=Window(10, 20),
        after=Window(20, 30),
        requests=[Request("POST", 1.0, 0.020, 201), Request("POST", 12.0, 0.25, status)],
        samples=[Sample(1.0, {"open": 1.0}), Sample(2.0, {"open": 3.0})],
        orders={"confirmed": 2},
        audit={
            "verdict": audit,
            "checks": VIOLATION if audit == "fail" else [],
        },
    )
    findings = [expectation.judge(seen) for expectation in SCENARIO.expects]
    return Outcome(scenario=SCENARIO, seen=seen, findings=findings, rate=5)


@pytest.mark.parametrize(
    ("audit", "status", "verdict"),
    [
        ("pass", 201, "pass"),
        ("pass", 503, "missed"),
        ("fail", 201, "fail"),
        # What could not be told is no pass.
        ("unknown", 201, "fail"),
    ],
)
def test_the_audit_decides_and_then_the_expectations(audit: str, status: int, verdict: str) -> None:
    assert outcome(audit=audit, status=status).verdict == verdict


def test_the_page_says_what_was_expected_what_was_seen_and_what_the_audit_found() -> None:
    page = as_markdown(outcome(audit="fail", status=503), held_at=HELD_AT)

    assert "| every order is accepted at its first try | 1 of 2 | **no** |" in page
    assert (
        "| every acknowledged order is confirmed in the end | 2 confirmed; 0 never answered | yes |" in page
    )
    assert "| POST | fault | 1 | 1 | 250.0 | 250.0 | 250.0 |" in page
    assert "Verdict: **fail** (audit: fail)" in page
    assert "- C1 No double charge: order 7 twice" in page


def test_a_folder_holds_page_data_requests_and_picture(tmp_path: Path) -> None:
    folder = write_report(outcome(), directory=tmp_path, held_at=HELD_AT)

    assert folder.name == "20261126-020005-nothing"
    data = json.loads((folder / "report.json").read_text())
    assert (data["verdict"], data["requests"]["POST"]["fault"]["p99_ms"]) == ("pass", 250.0)
    assert data["expectations"][0] == {
        "expected": "every order is accepted at its first try",
        "seen": "2 of 2",
        "holds": True,
    }
    with (folder / "requests.csv").open() as file:
        assert list(csv.reader(file))[1:] == [
            ["POST", "1.000", "0.0200", "201"],
            ["POST", "12.000", "0.2500", "201"],
        ]
    assert (folder / "plot.png").read_bytes().startswith(b"\x89PNG")
