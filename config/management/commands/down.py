from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.stack.down import stop_stack
from config.stack.errors import StackError


class Command(BaseCommand):
    help = "Stop the embedded stack that runs in this folder."
    requires_system_checks = ()

    def handle(self, **_options: object) -> None:
        try:
            stopped = stop_stack(folder=settings.BASE_DIR)
        except StackError as error:
            raise CommandError(str(error))
        self.stdout.write("Stopped." if stopped else "No stack is running in this folder.")
