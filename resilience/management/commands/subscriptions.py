"""`manage.py subscriptions`: how far each is, and what an operator may do to them."""

import getpass
from argparse import ArgumentParser
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Count

from resilience import clock
from resilience.errors import HoldfastError
from resilience.events import Subscription, subscription_named, subscriptions
from resilience.events.dead_letters import in_order, redeliver_all
from resilience.events.lag import Lag, lag, lag_by_lane
from resilience.events.models import DeadLetter, SubscriptionState
from resilience.events.steering import (
    Instruction,
    Selection,
    begin_replay,
    count_selected,
    pause,
    resume,
    run_replay,
)
from resilience.events.subscription import UnknownSubscriptionError
from resilience.rest.timestamps import parse_timestamp

_LETTERS_SHOWN = 100


class Command(BaseCommand):
    help = "List subscriptions; pause, resume or replay one; show and redeliver its dead letters."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take a verb; all but `list` take a subscription's name."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("list", help="position, lag and dead letters of each")
        for verb, says in (("pause", "let it wait where it is"), ("resume", "let it go on")):
            acting = verbs.add_parser(verb, help=says)
            acting.add_argument("name")
            _operator(acting)
        letters = verbs.add_parser("dead-letters", help="what it gave up on, in order")
        letters.add_argument("name")
        letters.add_argument("--redeliver", action="store_true", help="hand all of them over again, in order")
        replaying = verbs.add_parser("replay", help="hand over events of the past once more")
        replaying.add_argument("name")
        replaying.add_argument("--type", action="append", default=[], dest="types")
        replaying.add_argument("--since", type=_moment, help="that happened from then on (RFC 3339)")
        replaying.add_argument("--until", type=_moment, help="that happened before")
        replaying.add_argument("--aggregate", type=UUID)
        replaying.add_argument("--per-s", type=float, help="events a second at most")
        replaying.add_argument("--dry-run", action="store_true", help="only count")
        replaying.add_argument("--continue", type=UUID, dest="replay_id", help="one that was interrupted")
        _operator(replaying)

    def handle(self, *_args: Any, verb: str, **options: Any) -> None:
        """Do it; a refusal says what to do instead."""
        try:
            match verb:
                case "list":
                    self._list()
                case "pause" | "resume":
                    act = pause if verb == "pause" else resume
                    act(subscription_named(options["name"]), _instruction(options))
                    self.stdout.write(f"{options['name']} is {verb}d.")
                case "dead-letters":
                    self._letters(options["name"], again=options["redeliver"])
                case "replay":
                    self._replay(options)
        except (HoldfastError, UnknownSubscriptionError) as error:
            raise CommandError(str(error)) from error

    def _list(self) -> None:
        open_letters = dict(
            DeadLetter.objects.filter(redelivered_at=None)
            .values_list("subscription")
            .annotate(count=Count("pk"))
        )
        for one in subscriptions():
            lanes = list(SubscriptionState.objects.filter(name=one.name).order_by("lane"))
            stands = "paused" if lanes and lanes[0].paused else "follows"
            self.stdout.write(
                f"{one.name}  {stands}  handled {sum(lane.handled for lane in lanes)}, {_behind(lag(one))}, "
                f"{open_letters.get(one.name, 0)} dead letters"
            )
            if len(lanes) > 1:
                self._list_lanes(one, lanes)

    def _list_lanes(self, subscription: Subscription, lanes: Sequence[SubscriptionState]) -> None:
        for lane, behind in zip(lanes, lag_by_lane(subscription), strict=False):
            failing = f"; failed {lane.attempts} times: {lane.error}" if lane.attempts else ""
            self.stdout.write(
                f"  lane {lane.lane} of {lane.lanes}  handled {lane.handled}, {_behind(behind)}{failing}"
            )
        if lanes[0].lanes_next is not None:
            self.stdout.write(f"  {lanes[0].lanes_next} lanes as soon as all of them stand at one place")

    def _letters(self, name: str, *, again: bool) -> None:
        subscription_named(name)
        if again:
            for letter, error in redeliver_all(name):
                ended = f"failed again: {error}:" if error else "redelivered"
                self.stdout.write(f"{ended} {_told(letter)}")
            return
        letters = in_order(name)
        for letter in letters[:_LETTERS_SHOWN]:
            self.stdout.write(_told(letter))
        if (more := letters.count() - _LETTERS_SHOWN) > 0:
            self.stdout.write(f"and {more} more")

    def _replay(self, options: dict[str, Any]) -> None:
        subscription = subscription_named(options["name"])
        selection = Selection(options["types"], options["since"], options["until"], options["aggregate"])
        if options["dry_run"]:
            self.stdout.write(f"{count_selected(subscription, selection)} events would be handed over.")
            return
        replay_id = options["replay_id"] or begin_replay(subscription, selection, _instruction(options))
        self.stdout.write(f"Replay {replay_id}; if it is interrupted: --continue {replay_id}")
        handled = run_replay(subscription, replay_id, per_s=options["per_s"])
        self.stdout.write(f"{handled} events were handed over.")


def _told(letter: DeadLetter) -> str:
    return f"{letter.pk}  {letter.type} {letter.aggregateid} #{letter.sequence}: {letter.error}"


def _behind(behind: Lag) -> str:
    age = f", the oldest for {behind.oldest_age_s:.1f} s" if behind.oldest_age_s is not None else ""
    return f"{behind.events}{'+' if behind.bounded else ''} waiting{age}"


def _operator(parser: ArgumentParser) -> None:
    parser.add_argument("--reason", default="", help="why: it is kept with the change")
    parser.add_argument("--operator", default=getpass.getuser())


def _instruction(options: dict[str, Any]) -> Instruction:
    return Instruction(options["operator"], options["reason"], clock.now())


def _moment(text: str) -> datetime:
    return parse_timestamp(text)
