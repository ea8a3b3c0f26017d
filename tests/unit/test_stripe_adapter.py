"""Every way in which Stripe can answer, and what the adapter makes of it."""

import json
import logging
import socket
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import stripe

from payments.gateways.base import (
    Absent,
    ActionRequired,
    ActionType,
    Authorize,
    Capture,
    Declined,
    InDoubt,
    NotSent,
    Processing,
    Refund,
    Succeeded,
    Throttled,
    Void,
)
from payments.gateways.errors import KeyReusedError
from payments.gateways.stripe import StripeGateway
from payments.states import MethodType
from tests.unit.scripted_gateway import ScriptedGateway, answer, hang_up, reset, say_nothing, then_hang_up
from tests.unit.stripe_objects import (
    ORDER,
    PAYMENT,
    SECRET_KEY,
    captured,
    error,
    gateway,
    intent,
    page,
    refund,
    refunds,
    unexpected_state,
)

AUTHORIZE = Authorize("key-1", ORDER, PAYMENT, 1299, "EUR", "pm_card_visa")
CAPTURE = Capture("key-2", "pi_1", 1299, "EUR")
VOID = Void("key-3", "pi_1", "EUR")
REFUND = Refund("key-4", "pi_1", 500, "EUR")
REQUESTS = [AUTHORIZE, CAPTURE, VOID, REFUND]
names_of_requests = pytest.mark.parametrize("request_", REQUESTS, ids=lambda each: type(each).__name__)


def send(request, *replies):
    with ScriptedGateway(replies) as server:
        return gateway(server.url).send(request)


def look_up(request, *replies):
    with ScriptedGateway(replies) as server:
        return gateway(server.url).look_up(request)


DONE = {
    AUTHORIZE: (intent(), Succeeded("pi_1", 1299)),
    CAPTURE: (captured(), Succeeded("pi_1", 1299)),
    VOID: (intent(status="canceled"), Succeeded("pi_1", 1299)),
    REFUND: (refund(), Succeeded("re_1", 500)),
}

ACTION = {"type": "redirect_to_url", "redirect_to_url": {"url": "https://hooks.stripe.com/3ds"}}
REFUSED = {"code": "card_declined", "decline_code": "lost_card", "message": "Your card was declined."}

LAPSES = datetime(2026, 3, 8, 12, tzinfo=UTC)
CHARGE = {
    "id": "ch_1",
    "payment_method_details": {"type": "card", "card": {"capture_before": int(LAPSES.timestamp())}},
}
SLIP = {
    "type": "boleto_display_details",
    "boleto_display_details": {
        "hosted_voucher_url": "https://payments.stripe.com/boleto/1",
        "expires_at": int(LAPSES.timestamp()),
    },
}

# What an object says, whether it came as the answer itself or from a look-up.
OBJECTS = [
    (AUTHORIZE, captured(), Succeeded("pi_1", 1299, is_captured=True)),
    (AUTHORIZE, intent(status="processing"), Processing("pi_1")),
    (AUTHORIZE, intent(latest_charge="ch_1"), Succeeded("pi_1", 1299)),
    (AUTHORIZE, intent(latest_charge=CHARGE), Succeeded("pi_1", 1299, capture_before=LAPSES)),
    (
        AUTHORIZE,
        intent(latest_charge={"payment_method_details": {"type": "voucher", "voucher": {}}}),
        Succeeded("pi_1", 1299),
    ),
    (
        AUTHORIZE,
        intent(status="requires_action", next_action=SLIP),
        ActionRequired("pi_1", "https://payments.stripe.com/boleto/1", ActionType.VOUCHER, LAPSES),
    ),
    (
        AUTHORIZE,
        intent(status="requires_action", next_action={"boleto_display_details": {"number": "1"}}),
        ActionRequired("pi_1", "", ActionType.VOUCHER, None),
    ),
    (
        AUTHORIZE,
        intent(status="requires_action", next_action=ACTION),
        ActionRequired("pi_1", "https://hooks.stripe.com/3ds"),
    ),
    (AUTHORIZE, intent(status="requires_action"), ActionRequired("pi_1", "")),
    (
        AUTHORIZE,
        intent(status="requires_action", next_action={"type": "use_stripe_sdk"}),
        ActionRequired("pi_1", ""),
    ),
    (
        AUTHORIZE,
        intent(status="requires_payment_method", last_payment_error=REFUSED),
        Declined("lost_card", "Your card was declined.", "pi_1"),
    ),
    (
        AUTHORIZE,
        intent(status="canceled"),
        Declined("canceled", "The authorization was cancelled.", "pi_1"),
    ),
    (
        CAPTURE,
        intent(status="canceled"),
        Declined("authorization_gone", "The authorization has ended.", "pi_1"),
    ),
    (
        CAPTURE,
        intent(status="requires_action"),
        Declined("not_authorized", "There is no authorization to capture.", "pi_1"),
    ),
    (VOID, captured(), Declined("already_captured", "The money was taken already.", "pi_1")),
    (
        REFUND,
        refund(status="failed", failure_reason="expired_or_canceled_card"),
        Declined("expired_or_canceled_card", "The gateway did not give the money back.", "re_1"),
    ),
    (REFUND, refund(status="pending"), Processing("re_1")),
    (REFUND, refund(status="requires_action"), Processing("re_1")),
    (
        REFUND,
        refund(status="canceled"),
        Declined("canceled", "The gateway did not give the money back.", "re_1"),
    ),
]

# Objects that must never be believed, in either direction.
UNCLEAR_OBJECTS = [
    (AUTHORIZE, intent(amount=129900)),
    (AUTHORIZE, intent(amount=1299.0)),
    (AUTHORIZE, intent(amount="1299")),
    (AUTHORIZE, intent(currency="usd")),
    (AUTHORIZE, intent(metadata={"operation_key": "key-of-another"})),
    (AUTHORIZE, intent(metadata=None)),
    (AUTHORIZE, intent(object="charge")),
    (AUTHORIZE, intent(id=None)),
    (AUTHORIZE, intent(status="succeeded", amount_received=1)),
    (AUTHORIZE, intent(status="tomorrow")),
    (AUTHORIZE, intent(status=None)),
    (AUTHORIZE, intent(status="requires_confirmation")),
    (AUTHORIZE, intent(status="requires_payment_method")),
    (CAPTURE, captured(id="pi_2")),
    (CAPTURE, captured(object="charge")),
    (CAPTURE, captured(currency="usd")),
    (CAPTURE, intent(status="succeeded", amount_received=1)),
    (CAPTURE, intent(status="succeeded", amount_received=True)),
    (CAPTURE, intent(status="processing")),
    (VOID, intent(status="canceled", id="pi_2")),
    (VOID, intent(status="canceled", amount=None)),
    (VOID, intent(status="canceled", currency="usd")),
    (VOID, intent(status="processing")),
    (REFUND, refund(amount=501)),
    (REFUND, refund(payment_intent="pi_2")),
    (REFUND, refund(object="charge")),
    (REFUND, refund(id="")),
    (REFUND, refund(currency="usd")),
    (REFUND, refund(metadata={"operation_key": "key-of-another"})),
    (REFUND, refund(status="tomorrow")),
]

NOT_OBJECTS = ["", "{", "null", "[]", "7", '"ok"', "<html>Welcome</html>", "[" * 100_000, b"\xff", "1" * 5000]

# Of failures after the request left: nobody knows whether it was carried out.
SILENCES = {
    "closed": hang_up,
    "reset": reset,
    "silent": say_nothing,
    "cut in the body": then_hang_up(answer(intent())[:-20]),
    "cut in the head": then_hang_up(b"HTTP/1.1 200 OK\r\nContent-"),
    "500": error(500, type="api_error"),
    "502 of a proxy": answer("<html>Bad Gateway</html>", status=502),
    "503": answer("", status=503),
    "424": error(424, type="api_error"),
    "409 in flight": error(409, type="idempotency_error", code="idempotency_key_in_use"),
    "400 without a reason": answer("<html>Bad Request</html>", status=400),
    "402 of another shape": answer({"error": None}, status=402),
    "400 of another shape": answer({"error": ["no"]}, status=400),
    "401 of a proxy": answer("<html>Log in</html>", status=401),
    "a redirect": answer("", status=302, headers="Location: http://127.0.0.1:1/\r\n"),
    "an error in words": answer({"error": "no_such_thing"}, status=400),
}


@names_of_requests
def test_a_success_is_a_success(request_):
    body, expected = DONE[request_]

    assert send(request_, answer(body)) == expected


@pytest.mark.parametrize(("request_", "body", "expected"), OBJECTS)
def test_an_object_is_judged_by_its_status(request_, body, expected):
    assert send(request_, answer(body)) == expected
    if not isinstance(request_, Refund):
        found = [page(body), answer(body)] if isinstance(request_, Authorize) else [answer(body)]
        assert look_up(request_, *found) == expected
    else:
        assert look_up(request_, refunds(body)) == expected


@pytest.mark.parametrize(("request_", "body"), UNCLEAR_OBJECTS)
def test_an_object_that_does_not_match_is_in_doubt(request_, body):
    result = send(request_, answer(body))

    assert isinstance(result, InDoubt)
    assert result.is_stored, "the gateway keeps this answer: only a look-up can tell more"


@pytest.mark.parametrize("request_", [CAPTURE, VOID])
def test_a_yes_without_an_effect_is_in_doubt(request_):
    assert send(request_, answer(intent())) == InDoubt(
        "the gateway said yes and shows no effect", is_stored=True
    )


@names_of_requests
@pytest.mark.parametrize("body", NOT_OBJECTS, ids=range(len(NOT_OBJECTS)))
def test_a_200_that_is_no_object_is_in_doubt(request_, body):
    assert isinstance(send(request_, answer(body)), InDoubt)


@names_of_requests
@pytest.mark.parametrize("reply", SILENCES.values(), ids=SILENCES)
def test_silence_is_in_doubt_and_is_not_broken_by_sending_again(request_, reply):
    with ScriptedGateway([reply]) as server:
        result = gateway(server.url).send(request_)

    assert result == InDoubt(result.error, is_stored=False)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("header", "is_stored"),
    [("Idempotent-Replayed: true\r\n", True), ("Stripe-Should-Retry: false\r\n", False)],
)
def test_a_500_is_stored_when_it_is_replayed(header, is_stored):
    assert send(CAPTURE, error(500, type="api_error", headers=header)) == InDoubt(
        "HTTP 500: No.", is_stored=is_stored
    )


@names_of_requests
def test_what_never_left_was_not_sent(request_):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"

    assert isinstance(gateway(url).send(request_), NotSent)
    assert isinstance(gateway(url).look_up(request_), NotSent)
    assert isinstance(gateway(url.replace("http:", "https:")).send(request_), NotSent)


@names_of_requests
@pytest.mark.parametrize(
    ("headers", "retry_after_s"),
    [
        ("Retry-After: 7\r\n", 7.0),
        ("Retry-After: 99999999\r\n", 3600.0),
        ("Retry-After: -1\r\n", None),
        ("Retry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\n", None),
        ("", None),
    ],
)
@pytest.mark.parametrize("body", [{"error": {"code": "rate_limit"}}, "<html>Slow down</html>"])
def test_a_throttled_request_says_when_to_come_back(request_, headers, retry_after_s, body):
    reply = answer(body, status=429, headers=headers)

    assert send(request_, reply) == Throttled(retry_after_s)
    assert look_up(request_, reply) == Throttled(retry_after_s)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {
                "code": "card_declined",
                "decline_code": "insufficient_funds",
                "payment_intent": intent(status="requires_payment_method"),
            },
            Declined("insufficient_funds", "No.", "pi_1"),
        ),
        ({"code": "expired_card"}, Declined("expired_card", "No.")),
        ({}, Declined("card_error", "No.")),
        ({"message": "x" * 9999}, Declined("card_error", "x" * 500)),
        ({"message": ["odd"], "code": 7}, Declined("card_error", "")),
    ],
)
def test_a_refused_card_is_declined_with_its_reason(fields, expected):
    assert send(AUTHORIZE, error(402, type="card_error", **fields)) == expected


@names_of_requests
@pytest.mark.parametrize(("status", "code"), [(400, "parameter_invalid_integer"), (404, "resource_missing")])
def test_an_invalid_request_is_declined_with_its_code(request_, status, code):
    assert send(request_, error(status, type="invalid_request_error", code=code)) == Declined(code, "No.")


@names_of_requests
@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_executed_nothing_and_are_not_quoted(request_, status):
    reply = error(status, type="invalid_request_error", message=f"Invalid key: {SECRET_KEY}")

    expected = NotSent(f"the gateway refused our credentials (HTTP {status})")
    assert send(request_, reply) == expected
    assert look_up(request_, reply) == expected


@names_of_requests
def test_a_key_used_for_two_requests_is_a_bug_and_crashes(request_):
    with pytest.raises(KeyReusedError):
        send(request_, error(400, type="idempotency_error"))


@pytest.mark.parametrize(
    ("request_", "shown", "expected"),
    [
        (CAPTURE, captured(), Succeeded("pi_1", 1299)),
        (
            CAPTURE,
            intent(status="canceled"),
            Declined("authorization_gone", "The authorization has ended.", "pi_1"),
        ),
        (
            CAPTURE,
            intent(status="requires_action"),
            Declined("not_authorized", "There is no authorization to capture.", "pi_1"),
        ),
        (VOID, intent(status="canceled"), Succeeded("pi_1", 1299)),
        (VOID, captured(), Declined("already_captured", "The money was taken already.", "pi_1")),
        # A reference would be the refund's, and there is none: a second refusal would be taken for the same.
        (REFUND, intent(), Declined("payment_intent_unexpected_state", "No.")),
    ],
)
def test_a_step_that_was_done_before_is_seen_in_the_error(request_, shown, expected):
    assert send(request_, unexpected_state(shown)) == expected


@pytest.mark.parametrize(
    ("request_", "shown"),
    [
        (CAPTURE, None),
        (CAPTURE, "pi_1"),
        (CAPTURE, intent()),
        (CAPTURE, captured(id="pi_2")),
        (CAPTURE, intent(status="succeeded", amount_received=5)),
        (VOID, intent()),
        (VOID, intent(status="processing")),
        (VOID, intent(status="succeeded", amount_received=5)),
        (AUTHORIZE, intent()),
    ],
)
def test_an_unexpected_state_that_explains_nothing_is_in_doubt(request_, shown):
    assert isinstance(send(request_, unexpected_state(shown)), InDoubt)


UNSENDABLE = [
    (replace(AUTHORIZE, amount_minor=1000, currency="IQD"), "currency_not_supported"),
    (replace(AUTHORIZE, amount_minor=1250, currency="MGA"), "amount_not_representable"),
    (replace(AUTHORIZE, amount_minor=10**8), "amount_too_large"),
    (replace(CAPTURE, amount_minor=1, currency="KWD"), "amount_not_representable"),
    (replace(REFUND, amount_minor=1, currency="KWD"), "amount_not_representable"),
]


@pytest.mark.parametrize(("request_", "code"), UNSENDABLE)
def test_an_amount_that_stripe_cannot_take_is_declined_unsent(request_, code):
    with ScriptedGateway([answer(intent())]) as server:
        answers = [gateway(server.url).send(request_), gateway(server.url).look_up(request_)]

    assert [(type(each), each.code) for each in answers] == [(Declined, code)] * 2
    assert server.requests == []


KRONUR = {"currency": "isk", "amount": 129900}


@pytest.mark.parametrize(
    ("request_", "body", "expected"),
    [
        (replace(AUTHORIZE, currency="ISK"), intent(**KRONUR), Succeeded("pi_1", 1299)),
        (
            replace(CAPTURE, currency="ISK"),
            intent(**KRONUR, status="succeeded", amount_received=129900),
            Succeeded("pi_1", 1299),
        ),
        (replace(VOID, currency="ISK"), intent(**KRONUR, status="canceled"), Succeeded("pi_1", 1299)),
        (
            replace(REFUND, currency="MGA"),
            refund(currency="mga", amount=5),
            Succeeded("re_1", 500),
        ),
    ],
)
def test_amounts_are_stripes_on_the_wire_and_iso_in_the_answer(request_, body, expected):
    with ScriptedGateway([answer(body)]) as server:
        assert gateway(server.url).send(request_) == expected

    sent = server.requests[0].decode()
    assert (
        isinstance(request_, Void)
        or "amount=129900" in sent
        or "amount_to_capture=129900" in sent
        or ("amount=5&" in sent)
    )


def test_a_cancelled_fraction_of_a_krona_is_in_doubt():
    body = intent(currency="isk", amount=129950, status="canceled")

    assert isinstance(send(replace(VOID, currency="ISK"), answer(body)), InDoubt)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (intent(amount=129900), "amount"),
        (intent(currency="usd"), "currency"),
        (intent(metadata={}), "operation_key"),
        (intent(object="charge"), "object"),
        (intent(id=None), "id"),
        (intent(status="succeeded", amount_received=1298), "amount_received"),
    ],
)
def test_a_wrong_echo_is_named(body, field):
    assert send(AUTHORIZE, answer(body)) == InDoubt(
        f"the gateway shows another {field} than ours", is_stored=True
    )


@names_of_requests
@pytest.mark.parametrize("reply", SILENCES.values(), ids=SILENCES)
def test_a_look_up_that_gets_no_answer_is_no_answer(request_, reply):
    assert isinstance(look_up(request_, reply), InDoubt)


@names_of_requests
@pytest.mark.parametrize("body", [*NOT_OBJECTS, "{}", '{"data": []}', '{"object": "list", "data": []}'])
def test_a_look_up_that_gets_nonsense_is_no_absence(request_, body):
    assert isinstance(look_up(request_, answer(body)), InDoubt)


@names_of_requests
def test_a_look_up_that_is_refused_is_no_decline(request_):
    assert isinstance(look_up(request_, error(400, type="invalid_request_error", code="other")), InDoubt)


@pytest.mark.parametrize("request_", [CAPTURE, VOID])
def test_an_untouched_authorization_is_absence(request_):
    assert look_up(request_, answer(intent())) == Absent()


@pytest.mark.parametrize("request_", [CAPTURE, VOID, REFUND])
def test_an_unknown_payment_is_absence(request_):
    assert look_up(request_, error(404, type="invalid_request_error", code="resource_missing")) == Absent()


@pytest.mark.parametrize("request_", [CAPTURE, VOID])
def test_a_look_up_judges_the_payment_itself(request_):
    body, expected = DONE[request_]

    assert look_up(request_, answer(body)) == expected


def test_an_authorization_that_search_does_not_know_is_absence():
    assert look_up(AUTHORIZE, page()) == Absent()


def test_an_authorization_is_found_by_its_key_and_read_afresh():
    stale = intent(status="requires_payment_method")
    with ScriptedGateway([page(stale), answer(intent())]) as server:
        result = gateway(server.url).look_up(AUTHORIZE)

    assert result == Succeeded("pi_1", 1299)
    assert [request.split(b" ")[1] for request in server.requests] == [
        b"/v1/payment_intents/search?query=metadata[%27operation_key%27]%3A%27key-1%27&limit=10",
        b"/v1/payment_intents/pi_1?expand[0]=latest_charge",
    ]


def test_a_found_authorization_that_cannot_be_read_is_in_doubt():
    assert isinstance(look_up(AUTHORIZE, page(intent()), answer("", status=503)), InDoubt)


def test_a_found_authorization_that_is_gone_again_is_in_doubt():
    gone = error(404, type="invalid_request_error", code="resource_missing")

    assert isinstance(look_up(AUTHORIZE, page(intent()), gone), InDoubt)


def test_two_live_payments_under_one_key_are_in_doubt():
    twice = [page(intent(), intent(id="pi_2")), answer(intent()), answer(intent(id="pi_2"))]

    assert look_up(AUTHORIZE, *twice) == InDoubt("several live payments carry this key", is_stored=True)


def test_a_cancelled_payment_does_not_hide_the_live_one():
    twice = [page(intent(), intent(id="pi_2")), answer(intent(status="canceled")), answer(intent(id="pi_2"))]

    assert look_up(AUTHORIZE, *twice) == Succeeded("pi_2", 1299)


def test_a_refund_is_found_by_its_key_on_a_later_page():
    others = [refund(id=f"re_{number}", metadata={"operation_key": f"other-{number}"}) for number in (8, 9)]
    with ScriptedGateway([refunds(*others, has_more=True), refunds(refund())]) as server:
        result = gateway(server.url).look_up(REFUND)

    assert result == Succeeded("re_1", 500)
    assert [request.split(b" ")[1] for request in server.requests] == [
        b"/v1/refunds?payment_intent=pi_1&limit=100",
        b"/v1/refunds?payment_intent=pi_1&limit=100&starting_after=re_9",
    ]


def test_a_refund_that_no_page_shows_is_absent():
    other = refund(metadata={})

    assert look_up(REFUND, refunds(other, has_more=True), refunds()) == Absent()


@pytest.mark.parametrize("body", [refund(amount=501), refund(status="tomorrow")])
def test_a_found_refund_that_does_not_match_is_in_doubt(body):
    assert isinstance(look_up(REFUND, refunds(body)), InDoubt)


@pytest.mark.parametrize(
    "last",
    [refunds(has_more=True), refunds(refund(metadata={}), has_more=True), answer("", status=500)],
    ids=["an empty page", "endless pages", "a failing page"],
)
def test_refunds_that_cannot_all_be_read_are_no_absence(last):
    assert isinstance(look_up(REFUND, refunds(refund(metadata={}), has_more=True), last), InDoubt)


def test_an_authorization_asks_for_what_the_docs_say():
    with ScriptedGateway([answer(intent())]) as server:
        gateway(server.url, return_url="https://shop.example/back").send(AUTHORIZE)

    (request,) = server.requests
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/payment_intents HTTP/1.1\r\n")
    assert b"\r\nIdempotency-Key: key-1\r\n" in head
    assert f"\r\nAuthorization: Bearer {SECRET_KEY}\r\n".encode() in head
    assert sorted(body.decode().split("&")) == [
        "amount=1299",
        "capture_method=manual",
        "confirm=true",
        "currency=eur",
        "expand[0]=latest_charge",
        "metadata[operation_key]=key-1",
        f"metadata[order_id]={ORDER}",
        f"metadata[payment_id]={PAYMENT}",
        "payment_method=pm_card_visa",
        "payment_method_types[0]=card",
        "return_url=https%3A%2F%2Fshop.example%2Fback",
    ]


@pytest.mark.parametrize(
    ("method_type", "asked"),
    [
        (MethodType.CARD, {"capture_method=manual", "payment_method_types[0]=card"}),
        (MethodType.VOUCHER, {"capture_method=manual", "payment_method_types[0]=voucher"}),
        (
            MethodType.BOLETO,
            {
                "capture_method=automatic",
                "payment_method_types[0]=boleto",
                "payment_method_options[boleto][expires_after_days]=3",
            },
        ),
    ],
)
def test_each_method_is_asked_for_as_it_pays(method_type, asked):
    with ScriptedGateway([answer(intent())]) as server:
        gateway(server.url).send(replace(AUTHORIZE, method_type=method_type))

    fields = set(server.requests[0].decode().partition("\r\n\r\n")[2].split("&"))
    about_method = ("capture_method", "payment_method_types", "payment_method_options")
    assert {field for field in fields if field.startswith(about_method)} == asked


@pytest.mark.parametrize(
    ("request_", "path", "body"),
    [
        (CAPTURE, b"/v1/payment_intents/pi_1/capture", b"amount_to_capture=1299"),
        (VOID, b"/v1/payment_intents/pi_1/cancel", b""),
        (REFUND, b"/v1/refunds", b"payment_intent=pi_1&amount=500&metadata[operation_key]=key-4"),
        (Capture("key-2", "pi_1/../x?y", 1, "EUR"), b"/v1/payment_intents/pi_1%2F..%2Fx%3Fy/capture", None),
    ],
)
def test_each_request_goes_to_its_path_under_its_key(request_, path, body):
    with ScriptedGateway([answer({})]) as server:
        gateway(server.url).send(request_)

    (sent,) = server.requests
    assert sent.startswith(b"POST " + path + b" HTTP/1.1\r\n")
    assert f"\r\nIdempotency-Key: {request_.key}\r\n".encode() in sent
    assert body is None or sent.endswith(b"\r\n\r\n" + body)


@pytest.mark.parametrize("request_", [Capture("k", "", 1, "EUR"), Void("k", "", "EUR")])
def test_a_request_without_a_reference_is_a_bug(request_):
    with pytest.raises(ValueError, match="without a reference"):
        gateway("http://127.0.0.1:1").send(request_)


def test_a_quote_in_a_key_stays_inside_the_search():
    odd = Authorize("it's \\ odd", ORDER, PAYMENT, 1299, "EUR", "pm_card_visa")
    with ScriptedGateway([page()]) as server:
        gateway(server.url).look_up(odd)

    assert b"%27it%5C%27s+%5C%5C+odd%27" in server.requests[0]


def test_without_a_url_it_is_stripe_itself():
    assert repr(StripeGateway(name="live", secret_key=SECRET_KEY)) == (
        "StripeGateway(name='live', url='https://api.stripe.com')"
    )
    assert stripe.enable_telemetry is False


def test_the_secret_is_in_no_log_line_no_answer_and_no_repr(caplog):
    caplog.set_level(logging.DEBUG, logger="stripe")
    replies = [answer(intent()), error(402, type="card_error"), error(500), answer("nonsense"), hang_up]
    with ScriptedGateway(replies) as server:
        account = gateway(server.url)
        answers = [account.send(AUTHORIZE) for _reply in replies]

    assert len(caplog.records) > 0
    assert SECRET_KEY not in caplog.text
    assert SECRET_KEY not in repr(account)
    assert SECRET_KEY not in json.dumps([repr(each) for each in answers])
