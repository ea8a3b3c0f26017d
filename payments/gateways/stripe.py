"""Stripe, and whatever speaks its dialect, behind the port.

The danger: the SDK retries, logs, and calls every failure an error. Here a request is sent once, and
what comes back is one of the port's answers. The table of who answers what: docs/gateways.md.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

import stripe

from payments.gateways.base import (
    Absent,
    Answer,
    Authorize,
    Capture,
    Declined,
    InDoubt,
    LookupAnswer,
    Refund,
    Request,
    Void,
)
from payments.gateways.http import ThinClient
from payments.gateways.stripe_answers import (
    answer_of,
    answer_of_error,
    answer_of_failed_lookup,
    is_refund_of,
    judge,
)

# Together below the lease of a saga (15 s), so that a slow call does not look like a dead worker.
CONNECT_TIMEOUT_S = 2.0
READ_TIMEOUT_S = 8.0
# Currencies that Stripe counts in other units than ISO 4217 does: ISK and UGX in hundredths, MGA in
# whole ones. Sent as they are they would be wrong by a hundred, so they are refused.
ODD_CURRENCIES = frozenset({"ISK", "UGX", "MGA"})
# There is one intent to a key, unless the gateway forgot the key and was asked again.
FOUND_INTENTS_MAX = 10
REFUNDS_A_PAGE = 100
# A payment with more than a thousand refunds is not looked through: it stays in doubt.
REFUND_PAGES_MAX = 10

# The SDK has no switch for one client. Telemetry would send our timings along, and costs CPU.
stripe.enable_telemetry = False


class _Call(NamedTuple):
    path: str
    params: dict[str, Any]


class _Unusable(stripe.StripeError):
    """A look-up was answered with something that is not Stripe's."""


class StripeGateway:
    """One account at Stripe, or at the sandbox when `url` says so.

    `return_url` is where Stripe sends a payer back after 3-D Secure. Without it Stripe leaves the
    step to its own JavaScript, and ActionRequired names no address. It is part of what a key stands
    for: change it only while no authorization is under way.
    """

    def __init__(
        self,
        *,
        name: str,
        secret_key: str,
        url: str | None = None,
        return_url: str = "",
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        self.name = name
        self._url = (url or stripe.DEFAULT_API_BASE).rstrip("/")
        self._return_url = return_url
        self._client = stripe.StripeClient(
            secret_key,
            base_addresses={"api": self._url},
            max_network_retries=0,
            http_client=ThinClient(
                origin=self._url, connect_timeout_s=connect_timeout_s, read_timeout_s=read_timeout_s
            ),
        )

    def __repr__(self) -> str:
        return f"StripeGateway(name={self.name!r}, url={self._url!r})"

    def send(self, request: Request) -> Answer:
        """Carry out `request` under its key, once. Raises KeyReusedError: a bug, not an answer."""
        if isinstance(request, Authorize) and request.currency in ODD_CURRENCIES:
            return Declined("currency_not_supported", f"{request.currency} cannot be charged here.")
        call = self._call_of(request)
        try:
            body = self._ask("post", call.path, call.params, idempotency_key=request.key)
        except stripe.StripeError as error:
            return answer_of_error(request, error)
        return answer_of(request, body)

    def look_up(self, request: Request) -> LookupAnswer:
        """Ask what became of `request`. Search lags behind: absence is no "no" for a minute or more."""
        try:
            match request:
                case Authorize():
                    return self._look_up_authorize(request)
                case Capture() | Void():
                    return judge(request, self._ask("get", _intent_path(request.reference), {}))
                case Refund():
                    return self._look_up_refund(request)
        except stripe.StripeError as error:
            return answer_of_failed_lookup(request, error)

    def _call_of(self, request: Request) -> _Call:
        match request:
            case Authorize():
                return _Call("/v1/payment_intents", self._authorize_params(request))
            case Capture():
                path = _intent_path(request.reference) + "/capture"
                return _Call(path, {"amount_to_capture": request.amount_minor})
            case Void():
                return _Call(_intent_path(request.reference) + "/cancel", {})
            case Refund():
                metadata = {"operation_key": request.key}
                params = {"payment_intent": request.reference, "amount": request.amount_minor}
                return _Call("/v1/refunds", {**params, "metadata": metadata})

    def _authorize_params(self, request: Authorize) -> dict[str, Any]:
        # Named types, not `automatic_payment_methods`: which methods an account has switched on is
        # not in our hands, and only cards can be authorized first and captured later.
        params: dict[str, Any] = {
            "amount": request.amount_minor,
            "currency": request.currency.lower(),
            "capture_method": "manual",
            "confirm": True,
            "payment_method": request.method,
            "payment_method_types": ["card"],
            "metadata": {
                "order_id": str(request.order_id),
                "payment_id": str(request.payment_id),
                "operation_key": request.key,
            },
        }
        if self._return_url:
            params["return_url"] = self._return_url
        return params

    def _look_up_authorize(self, request: Authorize) -> LookupAnswer:
        query = f"metadata['operation_key']:'{_quoted(request.key)}'"
        page = self._ask("get", "/v1/payment_intents/search", {"query": query, "limit": FOUND_INTENTS_MAX})
        references = [str(intent.get("id")) for intent in _data_of(page, "search_result")]
        # What search shows may be old; the intent itself is not.
        answers = [judge(request, self._ask("get", _intent_path(found), {})) for found in references]
        live = [answer for answer in answers if not isinstance(answer, Declined)]
        if len(live) > 1:
            return InDoubt("several live payments carry this key", is_stored=True)
        return (live or answers or [Absent()])[0]

    def _look_up_refund(self, request: Refund) -> LookupAnswer:
        for refund in self._refunds_of(request.reference):
            if is_refund_of(request, refund):
                return judge(request, refund)
        return Absent()

    def _refunds_of(self, reference: str) -> Iterator[Mapping[str, Any]]:
        params: dict[str, Any] = {"payment_intent": reference, "limit": REFUNDS_A_PAGE}
        for _page_number in range(REFUND_PAGES_MAX):
            page = self._ask("get", "/v1/refunds", params)
            refunds = _data_of(page, "list")
            yield from refunds
            if not _has_more(page):
                return
            if not refunds:
                raise _Unusable("an empty page says that there is more")
            params["starting_after"] = str(refunds[-1].get("id"))
        raise _Unusable("there are more refunds than can be looked through")

    def _ask(
        self, method: str, path: str, params: dict[str, Any], *, idempotency_key: str | None = None
    ) -> object:
        """Call the gateway and return the JSON. Raises StripeError.

        `raw_request` keeps the SDK's parameters, headers, version and errors, and leaves out the
        building of its objects, which takes as long as all the rest of a call.
        """
        options = {"idempotency_key": idempotency_key} if idempotency_key else {}
        try:
            return self._client.raw_request(method, path, **params, **options).data
        except (AttributeError, KeyError, TypeError) as error:
            # The SDK trips over JSON errors of another shape ({"error": null}).
            raise _Unusable("the gateway's error is not of Stripe's shape") from error


def _intent_path(reference: str) -> str:
    if not reference:
        raise ValueError("a request without a reference would go to all payments")
    return f"/v1/payment_intents/{quote(reference, safe='')}"


def _quoted(text: str) -> str:
    """Escape `text` for Stripe's search language."""
    return text.replace("\\", "\\\\").replace("'", "\\'")


def _data_of(page: object, kind: str) -> list[Mapping[str, Any]]:
    """Return the objects of a page. Only a well-formed, complete answer may say that there are none."""
    if isinstance(page, Mapping) and page.get("object") == kind and isinstance(page.get("has_more"), bool):
        data = page.get("data")
        if isinstance(data, list) and all(isinstance(item, Mapping) for item in data):
            return data
    raise _Unusable("the gateway's list is not of Stripe's shape")


def _has_more(page: object) -> bool:
    return isinstance(page, Mapping) and page.get("has_more") is True
