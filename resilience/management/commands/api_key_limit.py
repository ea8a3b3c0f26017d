"""`manage.py api_key_limit PREFIX [--per-s 50 --burst 100]`: give an API key a limit of its own."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from resilience.apikeys.keys import limit_key
from resilience.apikeys.models import ApiKey


class Command(BaseCommand):
    """Set, or without a rate remove, the limit of a key."""

    help = "Give an API key a limit of its own; without --per-s and --burst, that of the settings."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the key's prefix (hf_<prefix>_…) and its limit."""
        parser.add_argument("prefix", help="the 12 hex digits of hf_<prefix>_…")
        parser.add_argument("--per-s", type=float, help="requests a second on average")
        parser.add_argument("--burst", type=int, help="requests at once after a pause")

    def handle(self, *args: Any, **options: Any) -> None:
        """Set it. Raises CommandError for an unknown key, and for a limit that is none."""
        try:
            limit_key(prefix=options["prefix"], rate_per_s=options["per_s"], burst=options["burst"])
        except ApiKey.DoesNotExist as error:
            raise CommandError(f"There is no key hf_{options['prefix']}_….") from error
        except ValueError as error:
            raise CommandError(f"{error}.") from error
