"""A report as it is kept: read once for everybody who asks for the same, at most half a minute old."""

from analytics.caches import FRESH, REPORTS
from analytics.reports.answering import Asked, document_of
from resilience.caching import Loaded, cache_of
from resilience.rest.rendering import to_json


def body_of(asked: Asked) -> bytes:
    """Return the report's document as JSON, kept or read now. Raises QueryFailedError."""

    def load() -> Loaded:
        return Loaded(to_json(document_of(asked)).encode(), FRESH)

    what = (asked.first, asked.last, asked.zone, asked.currency, asked.granularity, asked.compared)
    # No client is named "": that is the key of those who may see all.
    key = REPORTS.key(asked.client or "", asked.report.name, "|".join(map(str, what)))
    body = cache_of(REPORTS).get(key, load)
    if body is None:
        raise AssertionError("a report without rows is a report")
    return body
