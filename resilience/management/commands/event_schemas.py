"""`manage.py event_schemas`: the committed JSON Schemas of events, checked or written."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from resilience.events.declaration import EventType
from resilience.events.schemas import breaking_changes, file_name, published_types, schema_of


def folder() -> Path:
    """Return where the schemas are committed."""
    return Path(settings.BASE_DIR) / "docs" / "events" / "schemas"


class Command(BaseCommand):
    """Without --write, differences are an error; with it they are written, unless they break a reader."""

    help = "Compare the schemas of events with the committed ones, or write them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--write", action="store_true", help="write what has changed and breaks nobody")

    def handle(self, *_args: Any, write: bool, **_options: Any) -> None:
        """Check every type, then write."""
        changed = [declared for declared in published_types() if _committed(declared) != schema_of(declared)]
        broken = [
            f"{file_name(declared)}: {change}"
            for declared in changed
            for change in breaking_changes(_committed(declared) or {}, schema_of(declared))
            if _committed(declared) is not None
        ]
        if broken:
            raise CommandError(
                "\n".join([*broken, "Declare a new version of the type, and go on publishing the old one."])
            )
        if changed and not write:
            names = ", ".join(file_name(declared) for declared in changed)
            raise CommandError(f"Not as committed: {names}. Run `manage.py event_schemas --write`.")
        folder().mkdir(parents=True, exist_ok=True)
        for declared in changed:
            (folder() / file_name(declared)).write_text(json.dumps(schema_of(declared), indent=2) + "\n")
        self.stdout.write(f"{len(published_types())} schemas, {len(changed)} written.")


def _committed(declared: EventType) -> dict[str, Any] | None:
    path = folder() / file_name(declared)
    return json.loads(path.read_text()) if path.exists() else None
