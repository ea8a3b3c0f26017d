"""Asking Stripe what became of a request. Every function may raise StripeError: could not ask.

The danger: an index that lags, believed when it shows nothing. So before an absence is believed, an
authorization is looked for in the list too, which Stripe keeps up to date, as far as it can be read.
"""

import re
from collections.abc import Iterator
from uuid import UUID

from payments.gateways.base import (
    Absent,
    Authorize,
    Capture,
    Declined,
    InDoubt,
    LookupAnswer,
    Refund,
    Request,
    Void,
)
from payments.gateways.stripe_answers import is_asked_by, judge
from payments.gateways.stripe_api import PAGE_SIZE, StripeApi
from payments.gateways.stripe_evidence import evidence_of
from payments.gateways.stripe_fields import Object, TooManyPagesError, id_of, required_int
from payments.gateways.stripe_requests import CHARGE_INCLUDED, intent_path

# There is one intent to a key, unless the gateway forgot the key and was asked again.
FOUND_INTENTS_MAX = 10
# A payment with more than a thousand refunds is not looked through: it stays in doubt.
REFUND_PAGES_MAX = 10
# Five hundred intents: all of the last minutes in a shop that takes a few orders a second. Each page is
# 200 kB and some milliseconds of CPU, and all of them have to fit into the lease of a saga (15 s).
LISTED_PAGES_MAX = 5
# How far the gateway's clock may be behind ours. Both are kept by NTP to well under a second; six times
# this would be more of the list, in a busy shop, than all that came after the request.
CLOCKS_APART_S_MAX = 10

_KEY_TAIL = re.compile(r"-([0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})$")


def look_up(api: StripeApi, request: Request, *, thoroughly: bool) -> LookupAnswer:
    """Ask what became of `request`, changing nothing; `thoroughly` reads the list as well as search."""
    match request:
        case Authorize():
            return _look_up_authorize(api, request, thoroughly=thoroughly)
        case Capture() | Void():
            return _judged(api, request, request.reference)
        case Refund():
            return _look_up_refund(api, request)


def refund_pages(api: StripeApi, reference: str) -> Iterator[list[Object]]:
    """Yield the refunds of a payment, page by page."""
    return api.pages("/v1/refunds", {"payment_intent": reference}, pages_max=REFUND_PAGES_MAX)


def key_time_s(key: str) -> int | None:
    """Return when the UUIDv7 at the end of `key` was made, in seconds; None for any other key."""
    tail = _KEY_TAIL.search(key)
    return (UUID(tail[1]).int >> 80) // 1000 if tail else None


def _look_up_authorize(api: StripeApi, request: Authorize, *, thoroughly: bool) -> LookupAnswer:
    if request.reference:
        return _judged(api, request, request.reference)
    references = _searched(api, request.key)
    if not references and thoroughly:
        references = _listed(api, request.key)
    # What search shows may be old; the intent itself is not.
    answers = [_judged(api, request, reference) for reference in references]
    live = [answer for answer in answers if not isinstance(answer, Declined)]
    if len(live) > 1:
        return InDoubt("several live payments carry this key", is_stored=True)
    return (live or answers or [Absent()])[0]


def _look_up_refund(api: StripeApi, request: Refund) -> LookupAnswer:
    for page in refund_pages(api, request.reference):
        for refund in page:
            if is_asked_by(request.key, refund):
                return judge(request, refund).with_evidence(evidence_of(refund, http_status=200, headers={}))
    return Absent()


def _judged(api: StripeApi, request: Request, reference: str) -> LookupAnswer:
    heard = api.get(intent_path(reference), CHARGE_INCLUDED if isinstance(request, Authorize) else {})
    evidence = evidence_of(heard.data, http_status=heard.code, headers=heard.headers)
    return judge(request, heard.data).with_evidence(evidence)


def _searched(api: StripeApi, key: str) -> list[str]:
    query = {"query": f"metadata['operation_key']:'{_quoted(key)}'", "limit": FOUND_INTENTS_MAX}
    return [id_of(intent) for intent in api.found("/v1/payment_intents/search", query)]


def _listed(api: StripeApi, key: str) -> list[str]:
    """Return the intents of a key that the list shows; none where it is too long to be read.

    A shop that is too busy for the list relies on search alone, which has had its time when a thorough look
    is asked for; else an order that never reached the gateway would wait for ever.
    """
    asked_s = key_time_s(key)
    if asked_s is None:
        return []
    # No end: a request may be sent again under its key for a day.
    since_s = asked_s - CLOCKS_APART_S_MAX
    is_first = True
    try:
        params = {"created": {"gte": since_s}}
        for page in api.pages("/v1/payment_intents", params, pages_max=LISTED_PAGES_MAX):
            if references := [id_of(intent) for intent in page if is_asked_by(key, intent)]:
                return references
            if is_first and page:
                _refuse_long_list(page, since_s)
            is_first = False
    except TooManyPagesError:
        return []
    return []


def _refuse_long_list(page: list[Object], since_s: int) -> None:
    """Raise TooManyPagesError if, at the pace of its first page, the list is longer than may be read."""
    oldest_s = required_int(page[-1], "created")
    pace_s = max(required_int(page[0], "created") - oldest_s, 1)
    if len(page) == PAGE_SIZE and oldest_s - since_s > pace_s * (LISTED_PAGES_MAX - 1):
        raise TooManyPagesError("the list would be longer than it may be read")


def _quoted(text: str) -> str:
    """Escape `text` for Stripe's search language."""
    return text.replace("\\", "\\\\").replace("'", "\\'")
