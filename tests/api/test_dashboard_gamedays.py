"""Game days from the dashboard: never outside a sandbox, one at a time, and no file but their reports."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from config.dashboard.gamedays import holding
from config.dashboard.gamedays.reports import file_of, held, read
from config.gameday.one_at_a_time import held_lock, is_held
from config.roles import OPERATOR, VIEWER, ensure_roles
from resilience import clock
from resilience.ids import new_id
from tests.processes import wait_until

pytestmark = pytest.mark.django_db
PAGE = "/admin/gamedays/"
HOLD = "/admin/act/gameday-hold/?id=redis-wiped&next=/admin/gamedays/"


@pytest.fixture(autouse=True)
def base(tmp_path: Path, settings: Any) -> Path:
    """A folder without a stack, whose `manage.py` says what it was called with, and waits."""
    settings.BASE_DIR = tmp_path
    (tmp_path / "manage.py").write_text(
        "import sys, time, pathlib\n"
        "print('called with', sys.argv[1:], flush=True)\n"
        "while not pathlib.Path('let-go').exists(): time.sleep(0.02)\n"
    )
    return tmp_path


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "read_state", lambda _folder: {"web": {}, "proxy": None})


def person(name: str, role: str) -> Client:
    ensure_roles()
    user = User.objects.create_user(name, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client


def report(base: Path, name: str, **of: Any) -> None:
    folder = base / ".holdfast" / "gamedays" / name
    folder.mkdir(parents=True)
    document = {
        "scenario": "redis-wiped",
        "title": "Redis forgets everything.",
        "held_at": "2026-03-01T12:00:00+00:00",
        "verdict": "pass",
        "audit": {"verdict": "pass"},
        "facts": {"load began at": 1_772_366_400.0},
        "windows": {"fault": {"begin_s": 24.0, "end_s": 64.0}},
        "expectations": [{"expected": "no GET fails", "seen": "0 of 312", "holds": True}],
        "reduced": {"beat:last_work_s": [25.0, 60.0]},
        "orders": {"confirmed": 672},
    }
    (folder / "report.json").write_text(json.dumps(document | of))
    (folder / "report.md").write_text("# Game day")


def test_outside_a_sandbox_nothing_can_be_broken(base: Path):
    operator = person("ann", OPERATOR)

    assert "Not here" in operator.get(PAGE).content.decode()
    assert "Cannot be done" in operator.get(HOLD).content.decode()
    answer = operator.post(HOLD, {"reason": "why", "rate": "8", "once": str(new_id())}, follow=True)

    assert "only an embedded stack" in answer.content.decode()
    assert not (base / ".holdfast" / "gamedays" / "log").exists()


@pytest.mark.usefixtures("sandbox")
def test_in_production_neither(settings: Any):
    settings.PRODUCTION = True

    assert not holding.is_possible()


@pytest.mark.usefixtures("sandbox")
def test_one_is_held_at_a_time_by_a_process_of_its_own(base: Path):
    operator = person("ann", OPERATOR)

    operator.post(HOLD, {"reason": "a drill", "rate": "8", "is_short": "on", "once": str(new_id())})
    wait_until(lambda: "called with" in holding.log_text(), limit_s=30)

    assert "['gameday', 'redis-wiped', '--rate', '8', '--short', '--lock'," in holding.log_text()
    assert "A game day is under way" in operator.get(PAGE).content.decode()
    again = operator.post(HOLD, {"reason": "another", "rate": "8", "once": str(new_id())}, follow=True)
    assert "wait for its end" in again.content.decode()

    (base / "let-go").touch()
    wait_until(lambda: holding.under_way() is None, limit_s=30)
    assert "What the last one said" in operator.get(PAGE).content.decode()


@pytest.mark.usefixtures("sandbox")
def test_one_from_the_command_is_seen_and_waited_for(base: Path):
    operator = person("ann", OPERATOR)
    with held_lock(base / ".holdfast" / "gamedays"):
        assert "A game day is under way" in operator.get(PAGE).content.decode()
        assert "wait for its end" in operator.get(HOLD).content.decode()
        with pytest.raises(holding.GameDayUnderWayError):
            holding.begin("redis-wiped", rate=None, is_short=True, now=clock.now())

    assert holding.under_way() is None


@pytest.mark.usefixtures("sandbox")
def test_many_who_look_keep_nobody_from_beginning(base: Path):
    folder = base / ".holdfast" / "gamedays"
    with held_lock(folder):
        pass
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(0.005):
            is_held(folder)

    lookers = [threading.Thread(target=look) for _ in range(4)]
    for looker in lookers:
        looker.start()
    try:
        for _time in range(20):
            with held_lock(folder):
                assert is_held(folder)
    finally:
        stop.set()
        for looker in lookers:
            looker.join()


@pytest.mark.usefixtures("sandbox")
def test_what_needs_proxies_is_not_begun_without():
    operator = person("ann", OPERATOR)

    page = operator.get(HOLD.replace("redis-wiped", "gateway-outage")).content.decode()

    assert "It needs a stack with proxies" in page


def test_looking_writes_nothing(base: Path):
    viewer = person("bob", VIEWER)

    assert viewer.get(PAGE).status_code == 200
    assert not (base / ".holdfast").exists()


def test_a_report_is_shown_and_can_be_taken_along(base: Path):
    report(base, "20260301-120000-redis-wiped")
    report(base, "20260302-120000-overload", scenario="overload", verdict="missed")
    viewer = person("bob", VIEWER)

    assert [one.scenario for one in held()] == ["overload", "redis-wiped"]
    page = viewer.get(f"{PAGE}20260301-120000-redis-wiped/").content.decode()
    assert "0 of 312" in page
    answer = viewer.get(f"{PAGE}20260301-120000-redis-wiped/report.md")
    assert answer.getvalue() == b"# Game day"
    one = read("20260301-120000-redis-wiped")
    assert one is not None
    assert (one.healed_at - one.began_at).total_seconds() == 40
    assert held(since=one.healed_at) != []
    assert held(since=clock.now()) == []


@pytest.mark.parametrize("name", ["..", "20260301-120000-..%2F..", "lock", "20260301-120000-no-such"])
@pytest.mark.parametrize("file", ["report.md", "..%2Flog", "manage.py"])
def test_nothing_else_can_be_read(base: Path, name: str, file: str):
    report(base, "20260301-120000-redis-wiped")
    viewer = person("bob", VIEWER)

    assert viewer.get(f"{PAGE}{name}/{file}").status_code == 404
    assert file_of(name, file) is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"scenario": 1}', '{"facts": {"load began at": null}}'])
def test_a_report_that_is_not_whole_is_left_out(base: Path, content: str):
    report(base, "20260301-120000-redis-wiped")
    (base / ".holdfast/gamedays/20260301-120000-redis-wiped/report.json").write_text(content)

    assert held() == []
