"""The front page: what it shows, and that it shows it harmlessly."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
import stripe

EVIL = '"><script>alert(1)</script>'
# Elements that have no end.
VOID = {"meta", "input", "br"}


class _Page(HTMLParser):
    """The text of a page and its elements; fails on tags that do not match."""

    def __init__(self, text):
        super().__init__()
        self.open, self.seen, self.words, self.links = [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.links += [value for name, value in attrs if name in ("href", "src", "action")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def _page(gateway, order_id=None):
    answer = gateway.http.get("/", params={} if order_id is None else {"order_id": order_id})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    return _Page(answer.text)


def test_an_empty_book_has_a_page(start_gateway):
    page = _page(start_gateway())

    assert "None: the gateway is healthy." in page.text
    assert page.text.count("Nothing yet.") == 4
    assert "not told to anybody" in page.text


def test_a_payment_is_shown_with_its_charges_refunds_and_requests(gateway, wait_until):
    intent = gateway.authorize(metadata={"order_id": "shown-1"}, options={"idempotency_key": "key-shown-1"})
    gateway.intents.capture(intent.id, {"amount_to_capture": 1000})
    refund = gateway.refunds.create({"payment_intent": intent.id, "amount": 300})
    wait_until(lambda: len(gateway.requests("shown-1")) == 3)

    text = _page(gateway, "shown-1").text

    assert "EUR captured 10.00 EUR refunded 3.00 EUR authorized 0.00 EUR payments 1 captures 1" in text
    assert f"charge {intent.latest_charge} captured 10.00 EUR" in text
    assert f"refund {refund.id} 3.00 EUR succeeded" in text
    assert "key-shown-1" in text


def test_only_the_order_that_was_asked_for_is_shown(gateway):
    asked = gateway.authorize(metadata={"order_id": "asked-1"})
    other = gateway.authorize(metadata={"order_id": "asked-2"})

    one, both = _page(gateway, "asked-1"), _page(gateway)

    assert asked.id in one.text
    assert other.id not in one.text
    assert "/?order_id=asked-2" in both.links
    assert {asked.id, other.id} <= set(re.findall(r"pi_\w+", both.text))


def test_amounts_have_the_digits_of_their_currency(gateway):
    for currency in ("jpy", "kwd", "usd"):
        gateway.authorize(currency=currency, amount=123450, metadata={"order_id": "digits-1"})

    text = _page(gateway, "digits-1").text

    assert {"123,450 JPY", "123.450 KWD", "1,234.50 USD"} <= set(re.findall(r"[\d,.]+ [A-Z]{3}", text))


def test_a_lost_answer_a_fault_and_a_decline_are_visible(gateway, wait_until):
    metadata = {"order_id": "visible-1"}
    gateway.fault("reset_after", operation="create", times=1)
    with pytest.raises(stripe.APIConnectionError):
        gateway.authorize(metadata=metadata)
    with pytest.raises(stripe.CardError):
        gateway.authorize(metadata=metadata, payment_method="pm_card_visa_chargeDeclinedLostCard")
    gateway.fault("slow", operation="capture", probability=0.25, for_s=60)
    wait_until(lambda: len(gateway.requests("visible-1")) == 2)

    text = _page(gateway, "visible-1").text

    assert "slow on capture, 25%, 5000 ms, for 60 s, struck 0" in text
    assert "200 did not leave reset_after" in text
    assert "refused: lost_card" in text


def test_deliveries_are_shown_per_order(telling, wait_until):
    telling.configure(webhook_events=["charge.succeeded"])
    telling.authorize(metadata={"order_id": "told-1"})
    telling.authorize(metadata={"order_id": "told-2"})
    wait_until(lambda: len(telling.deliveries()) == 6)

    text = _page(telling, "told-1").text

    assert text.count("charge.succeeded 200") == 1
    assert text.count("not enabled") == 2


def test_what_a_client_sends_is_never_markup(gateway, wait_until):
    intent = gateway.authorize(metadata={"order_id": EVIL}, options={"idempotency_key": EVIL})
    wait_until(lambda: gateway.requests(EVIL))

    for page in (_page(gateway), _page(gateway, EVIL), _page(gateway, "'\"><img src=x onerror=alert(1)>")):
        assert page.seen.count("script") == 1
        assert "img" not in page.seen
        assert not [link for link in page.links if not link.startswith("/")]
    assert intent.id in _page(gateway, EVIL).text


def test_nothing_but_its_own_style_and_script_may_run(gateway):
    answer = gateway.http.get("/")

    policy = answer.headers["Content-Security-Policy"]
    for tag in ("style", "script"):
        text = re.search(rf"<{tag}>(.*?)</{tag}>", answer.text, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert 'http-equiv="refresh"' in answer.text
    assert "sk_test_sandbox" not in answer.text
    assert "whsec" not in answer.text
