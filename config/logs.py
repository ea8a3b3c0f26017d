"""Logs as one JSON object a line: a fixed sentence, fields, the ids of what it is about, and no secret.

`logging.getLogger(__name__).warning("…", extra={…})` is how everybody logs; structlog renders it, and adds
what is bound to the request, saga or task that runs (resilience/telemetry/trace.py). Tracebacks never show
local variables: those hold card tokens and keys.
"""

import logging
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any

import structlog
from structlog.contextvars import merge_contextvars
from structlog.processors import ExceptionRenderer, JSONRenderer
from structlog.stdlib import ProcessorFormatter

from config.redaction import redact

# Django adds the request, whose address may hold what must not be written down: a key, a card number.
_PLAIN = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "request", "taskName"}


Line = MutableMapping[str, Any]


class JsonFormatter(ProcessorFormatter):
    """Renders records of the standard library's `logging`, whoever wrote them."""

    def __init__(self, *_arguments: object, **_settings: object) -> None:
        super().__init__(
            foreign_pre_chain=[merge_contextvars, _with_facts_of_record],
            processors=[
                ProcessorFormatter.remove_processors_meta,
                ExceptionRenderer(),
                redact,
                _in_order,
                JSONRenderer(default=str),
            ],
        )


def configure_structlog() -> None:
    """Let `structlog.get_logger()` go the same way as `logging`."""
    structlog.configure(
        processors=[merge_contextvars, _with_facts_of_record, ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def _with_facts_of_record(_logger: object, level: str, line: Line) -> Line:
    """Add when, how grave and from where; of a record of `logging` its fields too, and its request's id."""
    record: logging.LogRecord | None = line.get("_record")
    if record is None:
        return {"at": _text(datetime.now(UTC).timestamp()), "level": level, **line}
    request = getattr(record, "request", None)
    if request is not None and hasattr(request, "META"):
        # Django logs an answer when the request's own context is over.
        line.setdefault("request_id", request.META.get("HTTP_X_REQUEST_ID"))
    return {
        "at": _text(record.created),
        "level": record.levelname.lower(),
        "logger": record.name,
        **line,
        **{name: value for name, value in vars(record).items() if name not in _PLAIN and name[0] != "_"},
    }


def _in_order(_logger: object, _method: str, line: Line) -> Line:
    """Put what is read first in front."""
    first: Line = {name: line.pop(name) for name in ("at", "level", "logger") if name in line}
    return {**first, "message": line.pop("event", ""), **line}


def _text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
