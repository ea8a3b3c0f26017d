from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from uuid import UUID

import pytest

from resilience.events import UnknownEventTypeError, event_type
from resilience.events.declaration import event_type_of
from resilience.events.event import Event
from resilience.events.payload import to_json
from resilience.events.subscription import Subscription, refuse_unknown_types
from resilience.retry import RetryPolicy

ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Line:
    sku: str
    quantity: int


@dataclass(frozen=True)
class Everything:
    id: UUID
    at: datetime
    day: date
    colour: Colour
    lines: tuple[Line, ...]
    note: str | None
    metadata: dict[str, object]


def test_a_body_becomes_json_that_reads_the_same_everywhere() -> None:
    body = Everything(
        id=ID,
        at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2))),
        day=date(2026, 1, 2),
        colour=Colour.RED,
        lines=(Line("a", 2),),
        note=None,
        metadata={"n": 1},
    )

    assert to_json(body) == (
        '{"id":"01890a5d-ac96-774b-bcce-b302099a8057","at":"2026-01-02T01:04:05.000000Z",'
        '"day":"2026-01-02","colour":"red","lines":[{"sku":"a","quantity":2}],"note":null,'
        '"metadata":{"n":1}}'
    )


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        to_json({"at": datetime(2026, 1, 2)})  # noqa: DTZ001 - that is the point


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_json_cannot_say_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="Out of range float"):
        to_json({"n": value})


def test_an_object_that_is_no_dataclass_is_refused() -> None:
    with pytest.raises(TypeError, match="Random has no form"):
        to_json({"x": type("Random", (), {})()})


def test_a_declared_body_knows_its_event_type() -> None:
    @event_type("declared.once", version=2, aggregate="declared")
    @dataclass(frozen=True)
    class Once:
        lines: Sequence[Line]

    declared = event_type_of(Once)

    assert (declared.name, declared.version, declared.aggregate) == ("declared.once", 2, "declared")


def test_one_name_and_version_belongs_to_one_class() -> None:
    event_type("declared.twice", version=1, aggregate="declared")(Line)

    with pytest.raises(ValueError, match=r"'declared\.twice' version 1 is declared twice"):
        event_type("declared.twice", version=1, aggregate="declared")(Line)


def test_a_body_that_can_change_is_refused() -> None:
    @dataclass
    class Mutable:
        number: int

    with pytest.raises(TypeError, match="Mutable is not a frozen dataclass"):
        event_type("declared.mutable", version=1, aggregate="declared")(Mutable)


@pytest.mark.parametrize("hint", [float, dict, "list[float]", "Mutable", "bytes", "set[int]"])
def test_a_field_without_exact_form_in_json_is_refused(hint: object) -> None:
    class Mutable:
        pass

    body = dataclass(frozen=True)(
        type("Body", (), {"__annotations__": {"field": Mutable if hint == "Mutable" else hint}})
    )

    with pytest.raises(TypeError, match="has no exact form in JSON"):
        event_type("declared.inexact", version=1, aggregate="declared")(body)


@pytest.mark.parametrize("name", ["placed", "Order.placed", "order placed", "order.", ""])
def test_a_name_says_who_and_what(name: str) -> None:
    with pytest.raises(ValueError, match="is not named like"):
        event_type(name, version=1, aggregate="order")(Line)


def test_an_undeclared_body_is_refused() -> None:
    with pytest.raises(UnknownEventTypeError, match="Everything is not declared"):
        event_type_of(Everything)


def test_the_envelope_is_a_cloud_event() -> None:
    event = Event(
        id=ID,
        type="order.placed",
        version=1,
        aggregate_type="order",
        aggregate_id=ID,
        sequence=7,
        data={"total": 1299},
        occurred_at=datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
        recorded_at=datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC),
    )

    assert event.envelope() == {
        "specversion": "1.0",
        "id": str(ID),
        "source": "/order",
        "type": "order.placed",
        "typeversion": 1,
        "subject": str(ID),
        "time": "2026-01-02T03:04:05.000678Z",
        "sequence": "0000000007",
        "datacontenttype": "application/json",
        "data": {"total": 1299},
    }


def test_a_subscription_to_a_type_nobody_declares_is_refused() -> None:
    reader = Subscription("typo", ("order.plaaced",), lambda events: None)

    with pytest.raises(UnknownEventTypeError, match=r"'typo' waits for unknown types \['order.plaaced'\]"):
        refuse_unknown_types(reader)


def test_a_subscription_may_not_stop_at_a_bad_event_for_ever() -> None:
    with pytest.raises(ValueError, match="would stop at its first bad event for ever"):
        Subscription("stubborn", None, lambda events: None, retry=RetryPolicy(attempts_max=None))


@pytest.mark.parametrize("lanes", [0, 33])
def test_a_subscription_has_from_1_to_32_lanes(lanes: int) -> None:
    with pytest.raises(ValueError, match="1 to 32 are possible"):
        Subscription("wide", None, lambda events: None, lanes=lanes)
