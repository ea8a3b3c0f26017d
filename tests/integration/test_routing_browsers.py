"""A person's browser: lists come from the replica, and never from before that person's own write."""

import pytest
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test import Client
from django.urls import path

from resilience.routing import database_for_reads, parse_token, permits, scope, watcher
from resilience.routing.middleware import COOKIE, token_of_browser
from tests.integration.test_routing_replica import (
    Api,
    Note,
    Replica,
    _note,
    _notes,
    _wait_until_replayed,
    api,
    replica,
)

__all__ = ["api", "replica"]


def _list(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"notes": Note.objects.count(), "database": database_for_reads()})


def _refuse(request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=400)


def _token(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"token": str(token_of_browser(request))})


handler500 = "config.error_views.server_error"
urlpatterns = [
    path("api/notes", _notes),
    path("api/notes/<int:id>", _note),
    path("admin/notes/", _list, name="resilience_note_changelist"),
    path("admin/notes/add/", _notes, name="resilience_note_add"),
    path("admin/notes/refused/", _refuse, name="resilience_note_delete"),
    path("admin/notes/<int:id>/", _note, name="resilience_note_change"),
    path("admin/token/", _token, name="token"),
]


@pytest.fixture
def browser(api: Api, settings) -> Client:
    """A browser whose replica has everything that was written so far."""
    settings.ROOT_URLCONF = __name__
    api.write("first")
    _wait_until_replayed(api.token)
    return Client()


def _add(browser: Client) -> str:
    assert browser.post("/admin/notes/add/", "more", content_type="text/plain").status_code == 201
    return browser.get("/admin/token/").json()["token"]


def test_a_list_is_read_on_the_replica_and_a_page_to_act_on_is_not(browser: Client):
    assert browser.get("/admin/notes/").json() == {"notes": 1, "database": "replica"}
    assert browser.get("/admin/notes/1/").json()["database"] == "default"


def test_after_a_write_a_list_waits_for_no_replica(browser: Client, replica: Replica):
    replica.pause()
    token = _add(browser)

    assert browser.get("/admin/notes/").json() == {"notes": 2, "database": "default"}
    assert Client().get("/admin/notes/").json() == {"notes": 1, "database": "replica"}
    replica.resume()
    _wait_until_replayed(token)
    assert browser.get("/admin/notes/").json() == {"notes": 2, "database": "replica"}


def test_the_cookie_is_signed_and_kept_from_scripts(browser: Client):
    token = _add(browser)
    cookie = browser.cookies[COOKIE]

    assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (True, "Lax", 24 * 3600)
    assert str(parse_token(token)) == token
    assert token not in cookie.value


def test_a_cookie_that_is_not_ours_reads_the_primary(browser: Client):
    _add(browser)
    for forged in ("1-0/1", browser.cookies[COOKIE].value[:-1] + "x", "💥".encode().hex()):
        browser.cookies[COOKIE] = forged
        assert browser.get("/admin/notes/").json()["database"] == "default"


def test_who_writes_nothing_gets_no_cookie(browser: Client):
    browser.get("/admin/notes/")
    assert browser.post("/admin/notes/refused/").status_code == 400
    browser.post("/api/notes", "by a program", content_type="text/plain")

    assert COOKIE not in browser.cookies


def test_a_read_for_which_nobody_has_room_is_asked_for_again_later(
    browser: Client, monkeypatch: pytest.MonkeyPatch
):
    few = permits.Permits(size=1, full=permits._overloaded, wait_s_max=0.01)
    monkeypatch.setattr(scope, "fallback_reads", few)
    monkeypatch.setattr(watcher, "replica_state", lambda: None)
    browser.raise_request_exception = False

    with few.permit():
        page, answer = browser.get("/admin/notes/"), browser.get("/api/notes/1")

    assert (page.status_code, page.headers["Retry-After"]) == (503, "1")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.json()["code"] == "reads_overloaded"
    assert browser.get("/admin/notes/").status_code == 200
