"""The OpenAPI document tells the headers, permissions and problems of each operation."""

import re
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

pytestmark = pytest.mark.urls("tests.api.foundation_urls")


@pytest.fixture
def document() -> dict[str, Any]:
    made: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return made


def test_the_document_is_valid_without_a_warning(capsys: pytest.CaptureFixture[str], settings: Any) -> None:
    settings.ROOT_URLCONF = "config.urls"

    call_command("spectacular", "--validate", "--fail-on-warn")

    assert "openapi: 3.1" in capsys.readouterr().out


def test_an_operation_names_its_problems_headers_and_permission(document: dict[str, Any]) -> None:
    post = document["paths"]["/api/v1/things"]["post"]
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}

    assert {"201", "400", "401", "403", "409", "413", "415", "422", "429", "503", "504"} <= set(
        post["responses"]
    )
    assert post["responses"]["422"]["content"] == problem
    header, deadline = [parameter for parameter in post["parameters"] if parameter["in"] == "header"]
    assert (header["name"], header["required"], header["schema"]["maxLength"]) == (
        "Idempotency-Key",
        True,
        255,
    )
    assert (deadline["name"], deadline.get("required", False)) == ("X-Request-Deadline-Ms", False)
    assert "`orders.write`" in post["description"]
    assert post["security"] == [{"apiKey": []}]
    assert document["components"]["securitySchemes"]["apiKey"]["scheme"] == "bearer"


def test_a_read_has_no_problems_of_a_write(document: dict[str, Any]) -> None:
    get = document["paths"]["/api/v1/raising/{name}"]["get"]

    assert not {"409", "413", "415", "422"} & set(get["responses"])
    assert "404" in get["responses"]


def test_a_request_shape_tells_its_bounds(document: dict[str, Any]) -> None:
    shape = document["components"]["schemas"]["ThingRequest"]["properties"]

    assert shape["name"]["maxLength"] == 20
    assert shape["amount"]["minimum"] == 1
    assert shape["metadata"]["type"] == "object"


def test_the_schema_is_served_to_everyone() -> None:
    answer = Client().get("/api/v1/schema")

    assert answer.status_code == 200
    assert answer.json()["openapi"].startswith("3.1")


def test_the_docs_page_asks_nobody_outside() -> None:
    page = Client().get("/api/docs").content.decode()

    sources = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(sources) == 4
    assert all(source.startswith("/static/drf_spectacular_sidecar/") for source in sources)
    assert not re.search(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", page, re.IGNORECASE)
    assert '"validatorUrl": null' in page
    for source in sources:
        assert Client().get(source).status_code == 200
