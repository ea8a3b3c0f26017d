"""`manage.py bootstrap`: an operator, an API key and a catalogue, where they are missing."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from config.bootstrap import bootstrap
from config.roles import ensure_roles
from resilience import clock


class Command(BaseCommand):
    help = "Create the demo's operator, API key and catalogue where they are missing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take `--json`."""
        parser.add_argument("--json", action="store_true", help="print one JSON object, for tools")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print how to get in."""
        ensure_roles()
        way_in = bootstrap(now=clock.now())
        if options["json"]:
            admin = {"username": way_in.username, "password": way_in.password}
            self.stdout.write(json.dumps({"api_key": way_in.api_key, "admin": admin}))
        else:
            self.stdout.write(f"API key {way_in.api_key}")
            self.stdout.write(f"Admin   {way_in.username}, password {way_in.password}")
