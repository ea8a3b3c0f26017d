"""Schemas of events: as committed, and no change of them breaks a reader unnoticed."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from jsonschema import Draft202012Validator

from orders.events import Line, OrderPlaced
from resilience.clock import now
from resilience.events.asyncapi import document
from resilience.events.declaration import event_types
from resilience.events.payload import to_json
from resilience.events.schemas import breaking_changes, envelope_schema, published_types, schema_of
from resilience.ids import new_id
from resilience.management.commands import event_schemas

COMMITTED = Path(settings.BASE_DIR) / "docs" / "events" / "schemas"
BEFORE: dict[str, Any] = {
    "type": "object",
    "required": ["id", "amount"],
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "amount": {"type": "integer"},
        "outcome": {"type": "string", "enum": ["won", "lost"]},
        "lines": {"type": "array", "items": {"type": "object", "properties": {"sku": {"type": "string"}}}},
    },
}


def changed(**properties: Any) -> dict[str, Any]:
    kept = {**BEFORE["properties"], **properties}
    return {**BEFORE, "properties": {name: value for name, value in kept.items() if value is not None}}


def test_the_committed_schemas_are_those_of_the_declarations() -> None:
    call_command("event_schemas")

    files = {path.name for path in COMMITTED.glob("*.json")}
    assert {f"{declared.name}.v{declared.version}.json" for declared in published_types()} <= files
    assert len(published_types()) > 15


@pytest.mark.parametrize(
    ("after", "says"),
    [
        (changed(amount=None), "data.amount is gone"),
        (changed(amount={"type": "string"}), "another kind of value"),
        (changed(id={"type": "string"}), "another kind of value"),
        (changed(outcome={"type": "string", "enum": ["won", "lost", "settled"]}), "'settled'"),
        (
            changed(lines={"type": "array", "items": {"type": "object", "properties": {}}}),
            "lines[].sku is gone",
        ),
        (changed(amount={"anyOf": [{"type": "integer"}, {"type": "null"}]}), "another kind of value"),
        ({**BEFORE, "required": ["id"]}, "data.amount may be missing"),
    ],
)
def test_what_a_reader_relied_on_and_cannot_any_more_is_named(after: dict[str, Any], says: str) -> None:
    assert any(says in change for change in breaking_changes(BEFORE, after))


@pytest.mark.parametrize(
    "after",
    [
        BEFORE,
        changed(reason={"type": "string"}),
        changed(outcome={"type": "string", "enum": ["won"]}),
        {**BEFORE, "required": ["id", "amount", "outcome"]},
    ],
)
def test_what_breaks_nobody_is_no_breaking_change(after: dict[str, Any]) -> None:
    assert list(breaking_changes(BEFORE, after)) == []


def test_a_breaking_change_is_not_written(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(event_schemas, "folder", lambda: tmp_path)
    call_command("event_schemas", write=True)
    path = tmp_path / "order.placed.v1.json"
    schema = json.loads(path.read_text())
    schema["properties"]["coupon"] = {"type": "string"}
    path.write_text(json.dumps(schema))

    with pytest.raises(CommandError, match=r"data\.coupon is gone"):
        call_command("event_schemas", write=True)
    assert json.loads(path.read_text()) == schema


def test_what_is_published_keeps_its_schema() -> None:
    body = OrderPlaced(new_id(), "shop", "customer", "EUR", 0, 5, (Line("tea", 1, 5, 5),), now())
    [declared] = [one for one in event_types() if one.name == "order.placed"]
    validator = Draft202012Validator(schema_of(declared), format_checker=Draft202012Validator.FORMAT_CHECKER)

    assert list(validator.iter_errors(json.loads(to_json(body)))) == []
    assert list(validator.iter_errors({}))


def test_the_asyncapi_document_names_every_event_and_all_its_references_lead_somewhere() -> None:
    whole = document()

    assert whole["asyncapi"] == "3.0.0"
    assert set(whole["channels"]["feed"]["messages"]) == set(whole["components"]["messages"])
    for reference in _references(whole):
        found: Any = whole
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
        assert found
    Draft202012Validator.check_schema(envelope_schema())


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if "$ref" in value else []
        return own + [one for inner in value.values() for one in _references(inner)]
    if isinstance(value, list):
        return [one for inner in value for one in _references(inner)]
    return []
