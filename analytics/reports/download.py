"""A report as the answer to a browser or a program that wants a file."""

from collections.abc import Iterator

from django.http import StreamingHttpResponse

from analytics.reports.answering import Asked
from analytics.reports.exporting import CONTENT_TYPES, export
from resilience.rest.errors import invalid_field


def download(asked: Asked, format_: str) -> StreamingHttpResponse:
    """Stream a report's rows as `csv` or `parquet`; amounts are minor units there.

    Raises InvalidRequest for another format, and QueryFailedError.
    """
    if format_ not in CONTENT_TYPES:
        known = ", ".join(CONTENT_TYPES)
        raise invalid_field("format", code="invalid_choice", detail=f"Send one of: {known}.")
    pieces = export(asked, format_)
    # Asked for here, so that what is wrong with it is a problem and no file that breaks off.
    first = next(pieces, b"")
    return StreamingHttpResponse(
        _behind(first, pieces),
        content_type=CONTENT_TYPES[format_],
        headers={"Content-Disposition": f'attachment; filename="{asked.report.name}.{format_}"'},
    )


def _behind(first: bytes, others: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from others
