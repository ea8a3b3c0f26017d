"""`manage.py saga_diagram`: sagas draw themselves."""

from argparse import ArgumentParser
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from resilience.saga.state_documents import state_documents

_SUFFIXES = {"mermaid": ".md", "asl": ".asl.json"}


class Command(BaseCommand):
    """Print the drawings of sagas and edge tables, write them to docs/states, or compare them with it."""

    help = "Draw sagas and edge tables as Mermaid, or sagas in the Amazon States Language."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--format", choices=sorted(_SUFFIXES), default="mermaid", help="what to print")
        instead = parser.add_mutually_exclusive_group()
        instead.add_argument("--write", action="store_true", help="write every drawing to docs/states")
        instead.add_argument("--check", action="store_true", help="fail when docs/states is not up to date")

    def handle(self, *_args: object, **options: object) -> None:
        folder = Path(settings.BASE_DIR) / "docs" / "states"
        if options["write"]:
            self._write(folder)
            return
        if options["check"]:
            self._check(folder)
            return
        for name, text in state_documents().items():
            if name.endswith(_SUFFIXES[str(options["format"])]):
                self.stdout.write(text)

    def _check(self, folder: Path) -> None:
        written = {file.name: file.read_text() for file in folder.iterdir()} if folder.exists() else {}
        documents = state_documents()
        stale = sorted(name for name in {*written, *documents} if written.get(name) != documents.get(name))
        if stale:
            raise CommandError(f"Stale: {', '.join(stale)}. Run manage.py saga_diagram --write.")

    def _write(self, folder: Path) -> None:
        """Write what is drawn and delete what is drawn no longer."""
        documents = state_documents()
        folder.mkdir(parents=True, exist_ok=True)
        for file in folder.iterdir():
            if file.name not in documents:
                file.unlink()
        for name, text in documents.items():
            (folder / name).write_text(text)
        self.stdout.write(f"{len(documents)} drawings are in {folder}")
