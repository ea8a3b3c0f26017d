"""Subscriptions steered by an operator: paused, resumed, replayed, and dead letters handed over again."""

import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from resilience import clock
from resilience.events import Event, run_once, steering, subscription
from resilience.events.models import DeadLetter, EventReplay, SubscriptionChange
from resilience.events.steering import (
    Instruction,
    NotReplayableError,
    ReasonMissingError,
    Selection,
    begin_replay,
    carry_on,
    count_selected,
    pause,
    resume,
    run_replay,
)
from resilience.ids import new_id
from tests.events_kit import publish_committed, run_until_idle
from tests.events_kit import subscription as of_kit
from tests.together import at_once

pytestmark = pytest.mark.django_db(transaction=True)


class Heard(list[Event]):
    """A handler that remembers what it was handed."""

    def __call__(self, events: Sequence[Event]) -> None:
        self.extend(events)

    @property
    def numbers(self) -> list[int]:
        return [event.data["number"] for event in self]  # type: ignore[misc]


def because(reason: str = "a test") -> Instruction:
    return Instruction("ann", reason, clock.now())


def said(*arguments: str) -> str:
    out = StringIO()
    call_command("subscriptions", *arguments, stdout=out)
    return out.getvalue()


def test_paused_it_waits_and_resumed_it_goes_on_where_it_was() -> None:
    heard = Heard()
    reader = of_kit("steered", heard)
    aggregate = new_id()
    publish_committed((aggregate, 1))
    run_until_idle(reader)

    pause(reader, because())
    publish_committed((aggregate, 2))
    assert run_once(reader).idle
    resume(reader, because("it is mended"))
    run_until_idle(reader)

    assert heard.numbers == [1, 2]
    changes = SubscriptionChange.objects.order_by("at").values_list("change", "by", "reason")
    assert list(changes) == [("paused", "ann", "a test"), ("resumed", "ann", "it is mended")]


def test_without_a_reason_nothing_is_done() -> None:
    reader = of_kit("steered", Heard(), is_replayable=True)
    for act in (pause, resume):
        with pytest.raises(ReasonMissingError):
            act(reader, because(" "))
    with pytest.raises(ReasonMissingError):
        begin_replay(reader, Selection(), because(""))
    assert not EventReplay.objects.exists()
    assert not SubscriptionChange.objects.exists()


def test_a_replay_hands_over_what_is_selected_and_says_that_it_is_one() -> None:
    heard = Heard()
    reader = of_kit("steered", heard, is_replayable=True)
    first, second = new_id(), new_id()
    for number in range(3):
        publish_committed((first, number), (second, 10 + number))
    run_until_idle(reader)
    heard.clear()
    selection = Selection(aggregate_id=second)

    assert count_selected(reader, selection) == 3
    assert count_selected(reader, Selection(since=clock.now() + timedelta(hours=1))) == 0
    assert count_selected(reader, Selection(types=["test.ignored"])) == 0
    replay_id = begin_replay(reader, selection, because())
    publish_committed((second, 13))  # after it began: the subscription's own to read

    assert run_replay(reader, replay_id, per_s=1000) == 3
    assert heard.numbers == [10, 11, 12]
    assert all(event.replay for event in heard)
    assert run_replay(reader, replay_id) == 3
    assert len(heard) == 3
    run_until_idle(reader)
    assert heard.numbers == [10, 11, 12, 13]
    assert not heard[-1].replay


def test_what_would_count_twice_is_not_replayed() -> None:
    with pytest.raises(NotReplayableError):
        begin_replay(of_kit("steered", Heard()), Selection(), because())


def test_a_replay_that_fails_goes_on_where_it_was() -> None:
    heard = Heard()

    def fail_at_150(events: Sequence[Event]) -> None:
        heard.extend(events)
        if len(heard) == 200:
            raise ZeroDivisionError

    reader = of_kit("steered", fail_at_150, is_replayable=True)
    publish_committed(*((new_id(), number) for number in range(250)))
    replay_id = begin_replay(reader, Selection(), because())

    with pytest.raises(ZeroDivisionError):
        run_replay(reader, replay_id)
    assert EventReplay.objects.get().handled == 100
    assert run_replay(reader, replay_id) == 250
    # The hundred that failed were undone, and handed over again.
    assert len(heard) == 350


def test_the_command_lists_pauses_and_counts() -> None:
    assert "orders.refunds  follows" in said("list")
    assert "is paused" in said("pause", "orders.refunds", "--reason", "looking")
    assert "orders.refunds  paused" in said("list")
    said("resume", "orders.refunds", "--reason", "seen")
    assert "0 events would be" in said("replay", "orders.refunds", "--dry-run")
    assert "0 events were" in said("replay", "orders.refunds", "--reason", "to see")
    with pytest.raises(CommandError, match="no subscription"):
        said("pause", "nobody", "--reason", "x")
    with pytest.raises(CommandError, match="Say why"):
        said("pause", "orders.refunds")
    with pytest.raises(CommandError, match="figures anew"):
        said("replay", "analytics.tallies", "--reason", "x")


def test_dead_letters_are_handed_over_in_the_order_of_their_aggregate(monkeypatch: Any) -> None:
    heard, is_broken = Heard(), [True]

    def handle(events: Sequence[Event]) -> None:
        if is_broken[0]:
            raise ZeroDivisionError
        heard(events)

    reader = of_kit("steered.letters", handle)
    monkeypatch.setitem(subscription._subscriptions, reader.name, reader)
    publish_committed(*((new_id(), number) for number in range(2)))
    aggregate = new_id()
    publish_committed((aggregate, 10), (aggregate, 11))
    run_until_idle(reader)
    assert DeadLetter.objects.count() == 4

    assert said("dead-letters", reader.name, "--redeliver").count("failed again") == 3
    is_broken[0] = False
    assert said("dead-letters", reader.name, "--redeliver").count("redelivered") == 4
    assert heard.numbers.index(10) < heard.numbers.index(11)
    assert said("dead-letters", reader.name) == ""


def test_all_letters_are_handed_over_however_many(monkeypatch: Any) -> None:
    heard, is_broken = Heard(), [True]

    def handle(events: Sequence[Event]) -> None:
        if is_broken[0] or events[0].data["number"] == 60:  # type: ignore[misc]
            raise ZeroDivisionError
        heard(events)

    reader = of_kit("steered.many", handle, on_poison="park")
    monkeypatch.setitem(subscription._subscriptions, reader.name, reader)
    first, sick, last = sorted(new_id() for _aggregate in range(3))
    for aggregate in (first, sick, last):
        publish_committed(*((aggregate, number) for number in range(50, 150)))
    run_until_idle(reader)
    is_broken[0] = False
    assert DeadLetter.objects.count() == 300
    assert said("dead-letters", reader.name).endswith("and 200 more\n")

    told = said("dead-letters", reader.name, "--redeliver")

    # One of each aggregate fails again, and what follows it there is left alone.
    assert (told.count("redelivered"), told.count("failed again")) == (30, 3)
    assert heard.numbers == [*range(50, 60)] * 3
    assert DeadLetter.objects.filter(redelivered_at=None).count() == 270


def test_a_replay_passes_many_events_that_are_not_selected_in_short_transactions() -> None:
    heard = Heard()
    reader = of_kit("steered", heard, is_replayable=True)
    rare = new_id()
    for number in range(12):
        publish_committed(*((new_id(), 0) for _other in range(600)), (rare, number))
    replay_id = begin_replay(reader, Selection(aggregate_id=rare), because())

    assert run_replay(reader, replay_id) == 12
    assert heard.numbers == list(range(12))
    assert run_replay(reader, replay_id) == 12
    row = EventReplay.objects.get()
    assert (row.done_at is not None, row.handled) == (True, 12)


def test_a_replay_killed_with_9_is_continued() -> None:
    replay = (
        "import django; django.setup()\n"
        "import os, signal\n"
        "from resilience.events import steering, subscription_named\n"
        "from resilience import clock\n"
        "one = subscription_named('orders.refunds')\n"
        "id = steering.begin_replay(one, steering.Selection(), steering.Instruction('a', 'b', clock.now()))\n"
        "print(id, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", replay], capture_output=True, env=dict(os.environ))
    replay_id = killed.stdout.decode().strip()

    assert killed.returncode == -9
    assert "0 events were" in said("replay", "orders.refunds", "--continue", replay_id)
    assert EventReplay.objects.get().done_at is not None


def test_what_is_left_to_workers_is_carried_on_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = Heard()
    reader = of_kit("carried", heard, is_replayable=True)
    monkeypatch.setattr(steering, "subscription_named", lambda _name: reader)
    publish_committed(*[(new_id(), number) for number in range(30)])
    left_to_workers = begin_replay(reader, Selection(), because(), carried_per_s=10.0)
    by_command = begin_replay(reader, Selection(), because())

    # One second's worth at a time, whoever carries it.
    rounds = 0
    while EventReplay.objects.get(pk=left_to_workers).done_at is None:
        assert carry_on(within_s=0.5) == 1
        rounds += 1

    assert heard.numbers == list(range(30))
    assert rounds > 1
    assert EventReplay.objects.get(pk=by_command).handled == 0
    assert carry_on(within_s=0.5) == 0


def test_two_who_carry_on_at_once_hand_over_each_event_once(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = Heard()
    reader = of_kit("carried-twice", heard, is_replayable=True)
    monkeypatch.setattr(steering, "subscription_named", lambda _name: reader)
    publish_committed(*[(new_id(), number) for number in range(400)])
    begin_replay(reader, Selection(), because(), carried_per_s=2000.0)

    at_once([lambda: carry_on(within_s=20.0)] * 4)

    assert sorted(heard.numbers) == list(range(400))
