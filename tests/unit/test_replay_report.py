"""The figures of a replay, and how they are shown."""

from datetime import UTC, datetime, timedelta

import pytest

from config.replay.placing import Accepted, Placement, Refused
from config.replay.report import Pace, Refusal, percentile, report_of
from config.replay.settling import State
from config.replay.summary import as_json, as_text

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def accepted(order_id: str, *, at_s: float | None) -> Accepted:
    return Accepted(order_id, START, None if at_s is None else at(at_s))


def ended(status: str, *, at_s: float, total_minor: int = 100, currency: str = "BRL", reason=None) -> State:
    return State(status, reason, total_minor, currency, at(at_s))


PLACEMENTS: list[Placement] = [
    accepted("a", at_s=0.0),
    accepted("b", at_s=1.0),
    accepted("before", at_s=None),
    accepted("open", at_s=1.0),
    accepted("gone", at_s=1.0),
    accepted("a", at_s=None),
    Refused("x", "validation_failed", "/lines min_length"),
    Refused("y", "validation_failed", "/payments max_length"),
    Refused("z", "validation_failed", "/payments max_length"),
]
STATES = {
    "a": ended("confirmed", at_s=2.0, total_minor=700),
    "b": ended("cancelled", at_s=1.5, reason="payment_declined"),
    "before": ended("confirmed", at_s=-99.0, total_minor=30, currency="EUR"),
    "open": State("pending", None, 100, "BRL", None),
}
REPORT = report_of(products={"created": 2}, placements=PLACEMENTS, states=STATES, sending_s=3.0)


def test_each_order_is_counted_once() -> None:
    assert (REPORT.accepted, REPORT.replayed, REPORT.refused) == (5, 1, 3)
    assert (REPORT.open, REPORT.missing) == (1, 1)
    assert REPORT.statuses == {"confirmed": 2, "cancelled": 1}
    assert REPORT.cancel_reasons == {"payment_declined": 1}
    assert REPORT.confirmed_minor == {"BRL": 700, "EUR": 30}


def test_refusals_are_grouped_by_reason_the_most_frequent_first() -> None:
    assert REPORT.refusals == [
        Refusal("validation_failed", "/payments max_length", 2, "y"),
        Refusal("validation_failed", "/lines min_length", 1, "x"),
    ]


def test_only_orders_of_this_run_are_timed() -> None:
    assert REPORT.pace == Pace(
        answered_per_s=3.0,
        settled_per_s=1.0,
        settled_orders=2,
        settle_s={"p50": 0.5, "p95": 2.0, "p99": 2.0},
    )


def test_an_order_that_settles_before_its_answer_arrives_took_no_time() -> None:
    report = report_of(
        products={},
        placements=[accepted("a", at_s=1.0)],
        states={"a": ended("confirmed", at_s=0.9)},
        sending_s=1.0,
    )

    assert report.pace.settle_s == {"p50": 0.0, "p95": 0.0, "p99": 0.0}
    assert report.pace.settled_per_s is None


@pytest.mark.parametrize(
    ("states", "is_complete"),
    [({"a": STATES["a"]}, True), ({"a": STATES["b"]}, True), ({"a": STATES["open"]}, False), ({}, False)],
)
def test_it_is_complete_when_all_that_was_accepted_has_ended(
    states: dict[str, State], is_complete: bool
) -> None:
    report = report_of(products={}, placements=[accepted("a", at_s=0.0)], states=states, sending_s=1.0)

    assert report.is_complete is is_complete


@pytest.mark.parametrize(("percent", "value"), [(50, 50), (95, 95), (99, 99), (100, 100)])
def test_a_percentile_is_a_value_that_was_measured(percent: int, value: int) -> None:
    assert percentile(range(100, 0, -1), percent) == value
    assert percentile([7.0], percent) == 7.0


def test_people_read_it_in_lines() -> None:
    assert as_text(REPORT).splitlines() == [
        "products    created 2",
        "accepted    5 (replayed 1)",
        "refused     3",
        "  2 validation_failed: /payments max_length (such as y)",
        "  1 validation_failed: /lines min_length (such as x)",
        "confirmed   2",
        "cancelled   1",
        "  1 cancelled: payment_declined",
        "still open  1",
        "not found   1",
        "money       BRL 700 minor units confirmed",
        "money       EUR 30 minor units confirmed",
        "answered    3.0 orders/s",
        "settled     1.0 orders/s, after p50 0.50 s, p95 2.00 s, p99 2.00 s",
    ]


def test_tools_read_it_as_one_object() -> None:
    document = as_json(REPORT)

    assert document["accepted"] == 5
    assert document["refused"]["by_code"] == {"validation_failed": 3}
    assert document["refused"]["reasons"][1]["example"] == "x"
    assert document["cancelled"] == {"total": 1, "by_reason": {"payment_declined": 1}}
    assert document["settle_s"] == {"orders": 2, "p50": 0.5, "p95": 2.0, "p99": 2.0}
