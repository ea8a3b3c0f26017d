"""`manage.py roles`: makes the roles of staff."""

from typing import Any

from django.core.management.base import BaseCommand

from config.roles import OPERATOR, VIEWER, ensure_roles


class Command(BaseCommand):
    help = "Make the roles viewer (sees everything) and operator (acts as well); again after each release."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Make them, or give them what a new version has more."""
        ensure_roles()
        self.stdout.write(f"There are {VIEWER} and {OPERATOR}: give them to people under Access.")
