"""`manage.py lake status|verify|compact|rebuild`: look after the lake."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from analytics.lake import keeping
from analytics.lake.exporting import rows_behind
from analytics.lake.manifest import Manifest, read_manifest
from analytics.lake.storage import storage
from resilience import clock


class Command(BaseCommand):
    """Each verb may be killed and run again; none of them touches an order."""

    help = "Look after the lake: status, verify, compact, rebuild."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("status", help="what the lake holds, and how far it is behind")
        verbs.add_parser("verify", help="compare every event with the log; exit code 1 on any difference")
        compacting = verbs.add_parser("compact", help="put small files together, delete what is replaced")
        compacting.add_argument(
            "--grace-s", type=int, default=int(keeping.GRACE.total_seconds()), help="delete what is older"
        )
        verbs.add_parser("rebuild", help="write the whole lake anew from the log, and swap")

    def handle(self, *_args: Any, verb: str, **options: Any) -> None:
        """Do what was asked, and say what there is now."""
        match verb:
            case "status":
                manifest = read_manifest(storage())
                self._say(manifest)
                self.stdout.write(f"{rows_behind(manifest)} events of the log are not in it yet.")
            case "verify":
                self._verify()
            case "compact":
                grace = timedelta(seconds=options["grace_s"])
                self._say(keeping.compact(storage(), now=clock.now(), grace=grace))
            case "rebuild":
                self._rebuild()

    def _verify(self) -> None:
        found = keeping.verify(storage())
        for fault in found.faults:
            self.stdout.write(f"{fault.where}: {fault.what}")
        if found.faults:
            raise CommandError(
                f"{len(found.faults)} faults. `manage.py lake rebuild` makes the lake anew from the log."
            )
        self.stdout.write(f"{found.events} events in {found.files} files: as in the log.")

    def _rebuild(self) -> None:
        try:
            self._say(keeping.rebuild(storage()))
        except keeping.DamagedFileError as refusal:
            raise CommandError(refusal.message) from refusal

    def _say(self, manifest: Manifest) -> None:
        days = len({file.day for file in manifest.files})
        megabytes = sum(file.size for file in manifest.files) / 1e6
        self.stdout.write(
            f"Manifest {manifest.number}: {manifest.rows} events of {days} days "
            f"in {len(manifest.files)} files, {megabytes:.1f} MB."
        )
