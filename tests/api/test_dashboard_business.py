"""The business page: each report for staff who may see orders, in an address that can be sent to somebody."""

import csv
import json
import re
from datetime import timedelta
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from analytics.lake.exporting import export_once
from analytics.lake.storage import storage
from analytics.reports import keeping
from analytics.reports.definitions import REPORTS
from analytics.warehouse import QueryFailedError
from resilience import caching
from tests.lake_kit import NOON, confirmed, declined, placed, refunded
from tests.processes import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
URL = "/admin/business/"
MARCH = "from=2026-03-01&to=2026-03-31"
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _lake(settings: Any, tmp_path: Path) -> None:
    settings.LAKE_URL, settings.CACHING = str(tmp_path / "lake"), False


@pytest.fixture
def merchant() -> Client:
    client = Client()
    person = User.objects.create_user("merchant", is_staff=True)
    person.user_permissions.add(Permission.objects.get(codename="view_order"))
    client.force_login(person)
    return client


def export() -> None:
    while export_once(storage()).rows:
        pass


def page(merchant: Client, address: str, *, status: int = 200) -> str:
    answer = merchant.get(f"{URL}{address}")
    assert answer.status_code == status, answer.content
    return str(answer.content.decode())


def drawing(text: str) -> dict[str, Any]:
    found = re.search(r'<script id="drawing" type="application/json">(.*?)</script>', text)
    assert found is not None
    told: dict[str, Any] = json.loads(found[1])
    return told


@pytest.mark.parametrize("address", [URL, f"{URL}funnel/", f"{URL}funnel/export?format=csv"])
def test_who_has_not_signed_in_or_may_not_see_orders_learns_nothing(client: Client, address: str) -> None:
    stranger = client.get(address)
    client.force_login(User.objects.create_user("gardener", is_staff=True))

    assert (stranger.status_code, stranger.headers["Location"].partition("?")[0]) == (302, "/admin/login/")
    assert client.get(address).status_code == 403


def test_the_way_to_it_is_shown_to_who_may_go(merchant: Client, client: Client) -> None:
    client.force_login(User.objects.create_user("gardener", is_staff=True))

    assert f'href="{URL}"' in merchant.get("/admin/password_change/").content.decode()
    assert f'href="{URL}"' not in client.get("/admin/password_change/").content.decode()


@pytest.mark.parametrize("report", REPORTS)
def test_without_any_event_it_says_what_to_do(merchant: Client, report: str) -> None:
    text = page(merchant, f"{report}/")

    assert "is the exporter running?" in text
    assert REPORTS[report].question in text


def test_days_without_orders_say_until_when_the_lake_is_told(merchant: Client) -> None:
    placed()
    export()

    text = page(merchant, "revenue/?from=2026-04-01&to=2026-04-30")

    assert "Nothing from 2026-04-01 to 2026-04-30. Choose other days" in text
    assert "Told until" in text


@pytest.mark.parametrize("report", REPORTS)
def test_every_report_is_shown_with_all_clients(merchant: Client, report: str) -> None:
    for client in ("shop", "another"):
        order = placed(client=client, skus=["tea", "cup"], total_minor=1000)
        payment = confirmed(order, client=client, total_minor=1000)
        refunded(order, payment, amount_minor=300, total_minor=1000, client=client)
        declined(placed(client=client), client=client)
        placed(client=client, at=NOON + 40 * DAY)
    export()

    text = page(merchant, f"{report}/?{MARCH}&compare=previous_year")

    assert '<table class="hf-table">' in text
    assert 'id="drawing"' in text or "hf-heat" in text
    assert text.count('scope="col"') >= 2


def test_revenue_is_told_with_its_change_drawn_and_listed(merchant: Client) -> None:
    for client in ("shop", "another"):
        confirmed(placed(client=client), client=client)
    confirmed(placed(total_minor=7, currency="JPY"), total_minor=7, currency="JPY")
    confirmed(placed(at=NOON - DAY, total_minor=1000), total_minor=1000)
    export()

    text = page(merchant, "revenue/?from=2026-03-01&to=2026-03-01")

    assert "25.00 EUR" in text
    assert "before: 10.00 EUR <strong>+150.0 %</strong>" in text
    assert "Choose JPY above to see it" in text
    drawn = drawing(text)
    assert [one["values"] for one in drawn["series"]] == [[2500], [1000]]
    assert (drawn["currency"], drawn["exponent"]) == ("EUR", 2)


def test_a_day_is_one_of_the_zone_that_was_chosen(merchant: Client) -> None:
    placed(at=NOON.replace(hour=2))
    export()

    text = page(merchant, "funnel/?from=2026-02-28&to=2026-02-28&time_zone=America/Sao_Paulo&compare=none")

    assert drawing(text)["series"][0]["values"][0] == 1
    assert "before:" not in text


def test_the_form_shows_what_was_chosen_and_each_input_has_its_label(merchant: Client) -> None:
    query = f"{MARCH}&granularity=week&currency=EUR&compare=none&time_zone=Europe/Berlin"

    text = page(merchant, f"revenue/?{query}")

    for chosen in ("week", "EUR"):
        assert f"<option selected>{chosen}</option>" in text
    assert '<option value="none" selected>' in text
    assert 'value="Europe/Berlin" autocomplete' in text
    named = set(re.findall(r'<(?:input|select)[^>]* id="(\w+)" name=', text))
    assert named == {"from", "to", "compare", "granularity", "currency", "time_zone"}
    assert named <= set(re.findall(r'<label for="(\w+)"', text))


def test_a_period_that_was_chosen_stays_when_the_form_is_sent(merchant: Client) -> None:
    text = page(merchant, "revenue/?period=7d")

    assert '<input type="hidden" name="period" value="7d">' in text
    assert 'href="?period=90d"' in text


def test_a_form_as_a_browser_sends_it_is_understood(merchant: Client) -> None:
    page(merchant, "revenue/?period=7d&from=&to=&compare=none&granularity=day&currency=&time_zone=UTC")


@pytest.mark.parametrize(
    ("address", "status", "words"),
    [
        ("revenue/?period=1y", 400, "period: Send one of"),
        ("revenue/?from=yesterday", 400, "from: Send a day like 2026-01-31."),
        ("revenue/?from=2026-03-02&to=2026-03-01", 400, "from &lt;= to"),
        ("revenue/?from=9999-12-30&to=9999-12-31", 400, "Send a day of"),
        ("revenue/?time_zone=Mars/Olympus", 400, "time_zone: Send one of"),
        ("revenue/?granularity=minute", 400, "granularity: Send one of"),
        ("funnel/?granularity=day", 400, "This report has none"),
        ("revenue/?currency=XXX", 400, "currency: Send one of"),
        ("revenue/?compare=tomorrow", 400, "compare: Send one of"),
        ("revenue/?compare=none&compare=previous_year", 400, "compare: Choose one."),
        ("revenue/?sql=1", 400, "sql: Not known here"),
        ("revenue/?time_zone=%3Cscript%3E", 400, "&lt;script&gt;"),
        ("revenue/export?format=xlsx", 400, "format: Send one of: csv, parquet."),
        ("revenue/export?currency=XXX", 400, "currency: Send one of"),
        ("profits/", 404, "There is no such report. There are: revenue"),
        ("profits/export", 404, "There is no such report"),
    ],
)
def test_a_bad_address_is_answered_on_the_page(
    merchant: Client, address: str, status: int, words: str
) -> None:
    text = page(merchant, address, status=status)

    assert words in text
    assert 'role="alert"' in text
    assert "hf-reports" in text


def test_a_field_that_is_wrong_says_so_to_who_cannot_see(merchant: Client) -> None:
    text = page(merchant, "revenue/?time_zone=Mars/Olympus", status=400)

    assert re.search(r'value="Mars/Olympus"[^>]*aria-invalid="true" aria-describedby="refusal"', text)


def test_what_a_client_wrote_is_shown_as_text(merchant: Client) -> None:
    confirmed(placed(skus=["</script><b>tea"]))
    export()

    text = page(merchant, f"products/?{MARCH}")

    assert "<b>tea" not in text
    assert drawing(text)["labels"] == ["</script><b>tea"]


def test_files_are_of_the_question_that_the_page_shows(merchant: Client) -> None:
    confirmed(placed(skus=["=cmd()"]))
    confirmed(placed(skus=["cup"], currency="JPY"), currency="JPY")
    export()

    text = page(merchant, f"products/?{MARCH}&currency=EUR&compare=none")
    [link] = [one.replace("&amp;", "&") for one in re.findall(r'href="(/admin[^"]*format=csv)"', text)]
    as_text = merchant.get(link)
    [header, line] = list(csv.reader(StringIO(as_text.getvalue().decode())))
    file = merchant.get(link.replace("format=csv", "format=parquet"))
    [row] = pq.read_table(BytesIO(file.getvalue())).to_pylist()

    assert as_text.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert 'filename="products.csv"' in as_text.headers["Content-Disposition"]
    assert (header[0], line[0], line[-1]) == ("sku", "'=cmd()", "1250")
    assert (row["sku"], row["revenue_minor"]) == ("=cmd()", 1250)


@pytest.mark.django_db(transaction=True, databases=["default", "replica"])
def test_the_page_asks_for_the_kept_report(
    merchant: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CACHING = True
    wait_until(caching.contact().look)
    read: list[object] = []
    document_of = keeping.document_of
    monkeypatch.setattr(keeping, "document_of", lambda asked: read.append(asked) or document_of(asked))

    for _look in range(2):
        page(merchant, f"funnel/?{MARCH}")

    assert len(read) == 1


def test_a_report_that_cannot_be_made_says_why(merchant: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(_asked: object) -> bytes:
        raise QueryFailedError("The query took longer than 60 s.")

    monkeypatch.setattr("config.dashboard.business.views.body_of", slow)

    assert "The query took longer than 60 s." in page(merchant, "revenue/", status=422)
