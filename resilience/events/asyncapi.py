"""The AsyncAPI 3 document: which events there are, what they hold, and how a client gets them."""

from typing import Any

from resilience.events.schemas import envelope_schema, published_types, schema_of

Json = dict[str, Any]


def document() -> Json:
    """Return the document, from the declarations of this process."""
    messages, schemas = {}, {}
    for declared in published_types():
        name = f"{declared.name}.v{declared.version}"
        schema = schema_of(declared)
        schemas[name] = {key: value for key, value in schema.items() if key != "$schema"}
        messages[name] = {
            "name": declared.name,
            "title": f"{declared.name} v{declared.version}",
            "summary": schema["description"].partition("\n")[0],
            "contentType": "application/cloudevents+json",
            "payload": {
                "allOf": [
                    {"$ref": "#/components/schemas/CloudEvent"},
                    {
                        "properties": {
                            "type": {"const": declared.name},
                            "typeversion": {"const": declared.version},
                            "source": {"const": f"/{declared.aggregate}"},
                            "data": {"$ref": f"#/components/schemas/{name}"},
                        }
                    },
                ]
            },
        }
    references = {name: {"$ref": f"#/components/messages/{name}"} for name in messages}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Holdfast events",
            "version": "1.0.0",
            "description": "Facts of your own orders and payments, at least once, in order per aggregate.",
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": {
            "feed": {
                "address": "/api/v1/events",
                "title": "Pull feed",
                "description": "GET with `after`, `types` and `limit`; needs the permission `events.read`.",
                "messages": references,
            },
            "webhooks": {
                "address": None,
                "title": "Webhooks",
                "description": "POST to each of your /api/v1/webhook-endpoints, signed by Standard Webhooks.",
                "messages": references,
            },
        },
        "operations": {
            name: {"action": "send", "channel": {"$ref": f"#/channels/{name}"}}
            for name in ("feed", "webhooks")
        },
        "components": {"messages": messages, "schemas": {"CloudEvent": envelope_schema(), **schemas}},
    }
