"""The lab's pages: for staff who may see orders, true to the engine, and never a burden to orders."""

import json
import re
import threading
from functools import partial
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from config.dashboard.lab import views
from config.dashboard.lab.apart import run_apart
from config.dashboard.lab.asked import Asked, asked_of
from config.dashboard.lab.desk import RETRY_AFTER_S, Desk
from resilience.lab import experiments
from resilience.lab.findings import as_json, written

pytestmark = pytest.mark.django_db(transaction=True)
LAB = "/admin/lab/"
# Small runs of each: what they find is tested elsewhere.
QUICK: dict[str, dict[str, float]] = {
    "availability": {"orders": 1000, "parts": 2},
    "backoff": {"clients_max": 20, "runs": 1, "waiting": 100},
    "breaker": {"workers": 3, "runs": 1, "healthy_s": 1.0},
    "cache": {"reads_per_s": 20.0, "ttls": 2},
}


@pytest.fixture
def viewer() -> Client:
    client = Client()
    person = User.objects.create_user("viewer", is_staff=True)
    person.user_permissions.add(Permission.objects.get(codename="view_order"))
    client.force_login(person)
    return client


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> list[Asked]:
    """Let nothing be known from before; return what was run."""
    ran: list[Asked] = []

    def run(asked: Asked) -> dict[str, Any]:
        ran.append(asked)
        return run_apart(asked)

    monkeypatch.setattr(views, "desk", Desk(run=run))
    return ran


def page(viewer: Client, address: str, query: dict[str, Any] | None = None, *, status: int = 200) -> str:
    answer = viewer.get(address, query or {})
    assert answer.status_code == status, answer.content.decode()[-2000:]
    return unescape(answer.content.decode())


def charts_on(shown: str) -> Any:
    found = re.search(r'<script id="charts" type="application/json">(.*?)</script>', shown, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def test_a_stranger_and_who_may_not_see_orders_see_no_lab(client: Client) -> None:
    for address in (LAB, f"{LAB}cache/"):
        assert client.get(address).status_code == 302

    client.force_login(User.objects.create_user("gardener", is_staff=True))

    for address in (LAB, f"{LAB}cache/"):
        assert client.get(address).status_code == 403
    assert f'href="{LAB}"' not in client.get("/admin/").content.decode()


def test_every_experiment_is_led_to_from_the_lab_and_the_lab_from_anywhere(viewer: Client) -> None:
    shown = page(viewer, LAB)

    for name, experiment in experiments().items():
        assert f'href="{LAB}{name}/"' in shown
        assert experiment.title in shown
        assert experiment.question in shown
    assert f'href="{LAB}"' in page(viewer, "/admin/")


@pytest.mark.parametrize("name", experiments())
def test_who_only_opens_an_experiment_sees_its_settings_and_runs_nothing(
    name: str, viewer: Client, desk: list[Asked]
) -> None:
    shown = page(viewer, f"{LAB}{name}/")

    for slider in experiments()[name].sliders:
        assert f'<label for="setting-{slider.name}">' in shown
        assert slider.meaning in shown
    assert shown.count('type="range"') == len(experiments()[name].sliders)
    assert '<label for="setting-seed">' in shown
    assert "Nothing has been run yet." in shown
    assert desk == []


@pytest.mark.parametrize("name", experiments())
def test_the_figures_are_those_of_the_engine(name: str, viewer: Client, desk: list[Asked]) -> None:
    shown = page(viewer, f"{LAB}{name}/", QUICK[name] | {"seed": 5})

    finding = experiments()[name].run(values=QUICK[name], seed=5)
    assert charts_on(shown) == json.loads(as_json(finding))["charts"]
    for table in finding.tables:
        assert f"<caption>{table.title}</caption>" in shown
        for row in zip(*map(written, zip(*table.rows, strict=True)), strict=True):
            head, *cells = row
            assert f'<th scope="row">{head}</th>' + "".join(f"<td>{cell}</td>" for cell in cells) in shown
    for chart in finding.charts:
        assert chart.reading in shown
        assert f"Curves of “{chart.title}”" in shown
    assert f"manage.py lab {name} " in shown
    assert f"--{next(iter(QUICK[name])).replace('_', '-')} " in shown
    assert "--seed 5" in shown


def test_the_form_keeps_the_settings_of_the_address(viewer: Client, desk: list[Asked]) -> None:
    shown = page(viewer, f"{LAB}cache/", QUICK["cache"] | {"ttl_s": "7.25", "seed": 9})

    for name, value in (("reads_per_s", "20.0"), ("ttl_s", "7.25"), ("ttls", "2"), ("seed", "9")):
        [field] = re.findall(rf'<input type="number" id="setting-{name}"[^>]*>', shown)
        assert f'value="{value}"' in field


def test_the_same_address_is_run_once(viewer: Client, desk: list[Asked]) -> None:
    first = page(viewer, f"{LAB}cache/", QUICK["cache"])

    assert charts_on(page(viewer, f"{LAB}cache/", QUICK["cache"])) == charts_on(first)
    assert len(desk) == 1


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ({"ttls": "1"}, "ttls must be from 2 to 100, and is 1."),
        ({"ttl_s": "inf"}, "ttl_s must be from 5 to 600 s, and is inf."),
        ({"ttls": "9" * 400}, "ttls must be a whole number"),
        ({"ttls": "<b>"}, "ttls must be a whole number, and is '<b>'."),
        ({"colour": "red"}, "There is no setting 'colour'; there are reads_per_s,"),
        ({"seed": "1.5"}, "seed must be a whole number, and is '1.5'."),
    ],
)
def test_a_bad_setting_is_told_on_the_page_and_runs_nothing(
    query: dict[str, str], complaint: str, viewer: Client, desk: list[Asked]
) -> None:
    answer = viewer.get(f"{LAB}cache/", query)

    assert answer.status_code == 400
    assert complaint in unescape(answer.content.decode())
    assert "<b>" not in answer.content.decode()
    assert 'id="lab-form"' in answer.content.decode()
    assert answer.content.decode().count('aria-invalid="true"') == (0 if "colour" in query else 1)
    assert desk == []


def test_an_experiment_that_there_is_not_is_not_found(viewer: Client) -> None:
    assert viewer.get(f"{LAB}weather/").status_code == 404


def test_a_page_only_reads(viewer: Client) -> None:
    assert viewer.post(f"{LAB}cache/").status_code == 405


def test_a_second_run_at_once_is_told_to_come_again(viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def run(_asked: Asked) -> dict[str, Any]:
        begun.set()
        assert may_end.wait(30)
        return {"tables": [], "charts": []}

    desk = Desk(run=run)
    monkeypatch.setattr(views, "desk", desk)
    first = threading.Thread(target=desk.find, args=(asked_of(experiments()["cache"], {}),))
    first.start()
    try:
        assert begun.wait(10)

        answer = viewer.get(f"{LAB}cache/", {"seed": 2})

        shown = unescape(answer.content.decode())
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, str(RETRY_AFTER_S))
        assert "Somebody else's run is under way" in shown
        assert "--seed 2" in shown
    finally:
        may_end.set()
        first.join(30)
    assert viewer.get(f"{LAB}cache/", {"seed": 2}).status_code == 200


def test_a_run_beyond_its_time_is_cut_off_and_says_so(
    viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "desk", Desk(run=partial(run_apart, limit_s=0.05)))

    shown = page(viewer, f"{LAB}backoff/", {"runs": 20, "seed": 3}, status=400)

    assert "The run was cut off after 0.05 s" in shown
    assert asked_of(experiments()["backoff"], {"runs": "20", "seed": "3"}).command in shown
