"""Answers as JSON text, the same for those sent at once and those stored to be sent again."""

import json

from rest_framework.utils.encoders import JSONEncoder


def to_json(document: object) -> str:
    """Return compact JSON; UUIDs and times are written as the API writes them. NaN is a bug."""
    return json.dumps(document, cls=JSONEncoder, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
