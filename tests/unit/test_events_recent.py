"""What a process has read of the log it reads no second time; no more is kept than is said."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from resilience.events.event import Event
from resilience.events.recent import Place, Recent
from resilience.ids import new_id

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Log:
    """Events at places, and which of them were asked for."""

    def __init__(self, events: int) -> None:
        self.events = {
            (1, position, event.id): event for position, event in enumerate(_event() for _ in range(events))
        }
        self.asked: list[Place] = []

    @property
    def places(self) -> list[Place]:
        return list(self.events)

    def fetch(self, places: list[Place]) -> dict[Place, Event]:
        self.asked += places
        return {place: self.events[place] for place in places if place in self.events}


def _event() -> Event:
    return Event(new_id(), "order.placed", 1, "order", new_id(), 1, {}, NOW, NOW)


def test_each_event_is_asked_for_once():
    log, recent = Log(5), Recent()

    first = recent.at(log.places[:3], fetch=log.fetch)
    second = recent.at(log.places[1:], fetch=log.fetch)

    assert first + second[2:] == list(log.events.values())
    assert sorted(log.asked) == sorted(log.places)


def test_no_more_is_kept_than_is_said_and_the_oldest_goes_first():
    log, recent = Log(5), Recent(events_max=3)
    for place in log.places:
        recent.at([place], fetch=log.fetch)
    log.asked.clear()

    recent.at(log.places[2:], fetch=log.fetch)
    assert log.asked == []
    recent.at(log.places[:1], fetch=log.fetch)
    assert log.asked == log.places[:1]


def test_a_batch_larger_than_what_is_kept_is_whole():
    log, recent = Log(9), Recent(events_max=3)

    assert recent.at(log.places, fetch=log.fetch) == list(log.events.values())


def test_another_event_at_the_same_place_is_not_taken_for_it():
    log, recent = Log(1), Recent()
    [place] = log.places
    recent.at([place], fetch=log.fetch)
    other = replace(log.events[place], id=new_id())
    log.events = {(*place[:2], other.id): other}

    assert recent.at(log.places, fetch=log.fetch) == [other]


def test_an_event_that_is_not_there_is_never_left_out():
    log, recent = Log(1), Recent()

    with pytest.raises(LookupError):
        recent.at([(7, 7, new_id())], fetch=log.fetch)


def test_many_threads_read_the_same_events():
    log, recent = Log(300), Recent(events_max=50)

    def read(reader: int) -> list[bool]:
        pages = [log.places[start : start + 20] for start in range(reader, 300, 7)]
        return [recent.at(page, fetch=log.fetch) == [log.events[place] for place in page] for page in pages]

    with ThreadPoolExecutor(8) as pool:
        rounds = list(pool.map(read, range(8)))

    assert [len(found) for found in rounds] == [len(range(reader, 300, 7)) for reader in range(8)]
    assert all(all(found) for found in rounds)
