"""The home page's live parts: for staff only, true to the tables, and cheap however much there is."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import OperationalError, connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from analytics.models import Tally
from config.dashboard.home import views
from config.dashboard.home.incidents import incidents
from config.dashboard.home.tiles import NOTHING
from resilience import clock
from resilience.breaker.models import BreakerTransition
from resilience.flags.models import FlagChange
from resilience.health.check import Check, Finding, Scope, Status
from resilience.health.report import Report, Result
from resilience.routing.failovers import note_primary
from resilience.routing.models import PrimaryTimeline
from resilience.telemetry.models import Metric10s, MetricTotal
from tests.processes import wait_until

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "replica", "dashboard"])
NOW, STORY = "/admin/now.json", "/admin/story.json"
# Session and person are two of them.
QUERIES_MAX = 12


@pytest.fixture(autouse=True)
def _uncached(settings: Any) -> None:
    settings.CACHING = False


@pytest.fixture
def viewer() -> Client:
    client = Client()
    person = User.objects.create_user("viewer", is_staff=True)
    person.user_permissions.add(Permission.objects.get(codename="view_order"))
    client.force_login(person)
    return client


def measured(
    metric: str, *, at: datetime, kind: str = "counter", labels: dict[str, str] | None = None, **of: Any
) -> None:
    total = MetricTotal.objects.create(
        metric=metric, labels=labels, kind=kind, value=0, count=0, total=0, at=at
    )
    Metric10s.objects.create(series=total.pk, at=at, **{"value": 0, "count": 0, "total": 0, **of})


def slot(*, before: timedelta) -> datetime:
    moment = clock.now() - before
    return datetime.fromtimestamp(moment.timestamp() // 10 * 10, UTC)


def replicated(viewer: Client, is_there: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """Return the story once the replica has what was written last."""
    told: dict[str, Any] = {}

    def look() -> object:
        told.update(viewer.get(STORY).json())
        return is_there(told)

    wait_until(look)
    return told


def tile_of(told: dict[str, Any], name: str) -> dict[str, Any]:
    [tile] = [tile for tile in told["tiles"] if tile["name"] == name]
    return tile


def test_a_stranger_learns_nothing(client: Client) -> None:
    for address in ("/admin/", NOW, STORY):
        answer = client.get(address)
        assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (302, "/admin/login/")


def test_who_is_no_staff_learns_nothing(client: Client) -> None:
    client.force_login(User.objects.create_user("customer"))

    assert client.get(STORY).status_code == 302


def test_staff_who_may_not_see_orders_see_no_takings(client: Client) -> None:
    client.force_login(User.objects.create_user("gardener", is_staff=True))

    assert client.get(STORY).status_code == 403
    assert client.get(NOW).status_code == 200
    assert "need the permission to view orders" in client.get("/admin/").content.decode()


def test_the_story_is_what_the_tables_say(viewer: Client) -> None:
    at = slot(before=timedelta(minutes=5))
    measured("orders_accepted_total", at=at, value=30.0, labels={"currency": "EUR"})
    measured("orders_accepted_total", at=at - timedelta(minutes=15), value=15.0, labels={"currency": "USD"})
    measured("http_request_s", at=at, kind="histogram", count=8, labels={"status": "2xx"})
    measured("http_request_s", at=at, kind="histogram", count=2, labels={"status": "5xx"})
    measured("http_request_s", at=at, kind="histogram", count=9, labels={"status": "5xx", "route": "/readyz"})
    today = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    for gateway in ("sandbox-1", "sandbox-2"):
        Tally.objects.create(
            grain="day", at=today, measure="payment.captured", currency="EUR", method_type="card",
            gateway=gateway, code="", count=1, amount_minor=1050,
        )  # fmt: skip

    # Both, for a story is read in several statements, between which the replica goes on.
    told = replicated(
        viewer,
        lambda told: (
            tile_of(told, "accepted")["detail"] != "0 accepted"
            and tile_of(told, "captured")["value"] != NOTHING
        ),
    )
    tiles = {name: tile_of(told, name) for name in ("accepted", "captured")}

    assert tiles["accepted"]["detail"] == "30 accepted"
    assert float(tiles["accepted"]["value"]) > float(tiles["accepted"]["before"]) > 0
    assert (tiles["captured"]["value"], tiles["captured"]["detail"]) == ("21.00 EUR", "")
    place = (at.timestamp() * 1000 - told["start"]) // told["step"]
    assert told["available"][int(place)] == 80.0


def test_what_happened_is_told_the_newest_first(viewer: Client) -> None:
    now = clock.now()
    moved: dict[str, Any] = {"process": "a", "total": 9, "failed": 9, "slow": 0, "failing_workers": 2}
    BreakerTransition.objects.create(
        breaker="gateway:a", scope="fleet", before="closed", after="open", reason="failures",
        at=now - timedelta(minutes=2), **moved,
    )  # fmt: skip
    BreakerTransition.objects.create(
        breaker="gateway:a", scope="process", before="closed", after="open", at=now, **moved
    )
    FlagChange.objects.create(name="early-answers", change="off", by="guard", reason="+5 points", at=now)
    FlagChange.objects.create(name="old", change="on", by="ann", reason="x", at=now - timedelta(hours=2))

    told = replicated(viewer, lambda told: told["incidents"])["incidents"]

    assert [(one["kind"], one["text"], one["by"]) for one in told] == [
        ("flag", "Flag early-answers: off: +5 points", "guard"),
        ("breaker", "Breaker gateway:a went from closed to open: failures", ""),
    ]
    assert len(viewer.get(f"{STORY}?span=24h").json()["incidents"]) == 3


def test_a_page_and_its_parts_ask_little(viewer: Client) -> None:
    for address in ("/admin/", NOW, STORY, f"{STORY}?span=24h"):
        with CaptureQueriesContext(connection) as asked:
            assert viewer.get(address).status_code == 200
        assert len(asked) <= QUERIES_MAX, address


def test_what_is_true_now_is_told_with_what_it_means(viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    check = Check("gateway:a", "component", Scope.SHARED, False, "Payments through a wait.", Finding)
    report = Report(
        clock.now(), (Result(check, Finding(Status.FAIL, output="Its breaker is open"), clock.now()),)
    )
    monkeypatch.setattr(views.runner, "last", lambda: report)

    told = viewer.get(NOW).json()
    page = viewer.get("/admin/").content.decode()

    assert told["level"] == "reduced"
    assert told["text"].startswith("Payments through a wait. Its breaker is open.")
    assert [one["part"] for one in told["reduced"]] == ["gateway:a"]
    assert "Payments through a wait." in page


def test_an_unknown_span_is_refused_with_those_that_there_are(viewer: Client) -> None:
    answer = viewer.get(f"{STORY}?span=1y")

    assert (answer.status_code, answer.json()["detail"]) == (404, "Ask for one of: 15m, 1h, 24h.")


def test_a_story_that_is_known_is_not_sent_again(viewer: Client, settings: Any) -> None:
    settings.CACHING = True
    first = viewer.get(STORY)

    again = viewer.get(STORY, headers={"If-None-Match": first.headers["ETag"]})

    assert (first.status_code, again.status_code) == (200, 304)


def test_a_failover_is_among_what_happened(viewer: Client) -> None:
    assert note_primary()
    assert not note_primary()
    timeline = PrimaryTimeline.objects.get().timeline
    first = incidents(since=clock.now() - timedelta(hours=1), alias="default")

    PrimaryTimeline.objects.create(timeline=timeline + 1, place="10.0.0.2:5432", seen_at=clock.now())

    assert first == []
    [told] = incidents(since=clock.now() - timedelta(hours=1), alias="default")
    assert (told.kind, told.text) == (
        "failover",
        f"Another server is the primary: 10.0.0.2:5432, on timeline {timeline + 1}",
    )


def test_the_toolkit_is_shown_while_its_replica_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("ann"))
    gone = connections["dashboard"]
    gone.close()

    def refuse() -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(gone, "connect", refuse)
    with pytest.raises(OperationalError):
        gone.cursor()

    assert client.get("/admin/toolkit/").status_code == 200
