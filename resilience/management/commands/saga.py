"""`manage.py saga`: what needs a person, and what that person may do about it."""

import getpass
from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from resilience import clock
from resilience.errors import Refusal
from resilience.saga import operate
from resilience.saga.models import Saga
from resilience.saga.states import SagaStatus

ACTIONS = {"retry": operate.retry, "compensate": operate.compensate, "resolve": operate.resolve}
LISTED_MAX = 100


class Command(BaseCommand):
    help = "List parked sagas; let one try again, turn round, or take its step as settled."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take an action and, for all but `parked`, a saga and a reason."""
        parser.add_argument("action", choices=["parked", *ACTIONS])
        parser.add_argument("saga", nargs="?", type=UUID, help="the saga's id")
        parser.add_argument("--reason", default="", help="why: it is kept with the action")
        parser.add_argument("--operator", default=getpass.getuser())

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it; a refusal says what to do instead."""
        if options["action"] == "parked":
            self._list_parked()
            return
        if options["saga"] is None or not options["reason"]:
            raise CommandError("Name the saga and give a --reason.")
        instruction = operate.Instruction(
            options["saga"], options["operator"], options["reason"], clock.now()
        )
        try:
            ACTIONS[options["action"]](instruction)
        except Refusal as refusal:
            raise CommandError(refusal.message) from refusal
        self.stdout.write(f"Done. {Saga.objects.get(pk=options['saga'])}")

    def _list_parked(self) -> None:
        parked = Saga.objects.filter(status=SagaStatus.PARKED).order_by("created_at")
        for saga in parked[:LISTED_MAX]:
            self.stdout.write(f"{saga.id}  {saga.definition} of {saga.business_key}: {saga.parked_reason}")
        self.stdout.write(f"{parked.count()} parked")
