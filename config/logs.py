"""Logs as one JSON object a line: a fixed sentence plus fields."""

import json
import logging
from datetime import UTC, datetime

# Django adds the request, whose address may hold what must not be written down: a key, a card number.
_PLAIN = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "request", "taskName"}


class JsonFormatter(logging.Formatter):
    """Render a record's sentence, its `extra` fields and its traceback (never local variables)."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in _PLAIN},
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)
