"""Calling Stripe: one call is one request, and lists are read to their end or not at all."""

from collections.abc import Iterator, Mapping
from typing import Any

import stripe
from stripe import _util

from payments.gateways.stripe_fields import Object, TooManyPagesError, UnusableError, required_id

# The most that Stripe gives at once: some 200 kB.
PAGE_SIZE = 100

# The SDK has no switch for one client. Telemetry would send our timings along, and costs CPU.
stripe.enable_telemetry = False
# Its default is 2, under a saga that retries. The client below never does, whatever is set; so both agree.
stripe.max_network_retries = 0


def _nothing(_fields: Mapping[str, Any]) -> str:
    return ""


# The SDK formats its log lines, whole bodies among them, whether or not anybody reads them: an eighth of a
# call, and if somebody did, the payer's data in a log. It has no switch for it, so that the formatter of
# the pinned version is replaced; tests/unit/test_stripe_api.py sees to it that this still does it.
_util.logfmt = _nothing


def retries_by_itself(client: type[stripe.HTTPClient]) -> bool:
    """Tell whether the SDK would send a request again that a saga sends again already."""
    sends_once = client.request_with_retries is not stripe.HTTPClient.request_with_retries
    return stripe.max_network_retries != 0 or not sends_once


class StripeApi:
    """Stripe's API as JSON, over the SDK. Thread-safe. Every method raises StripeError."""

    def __init__(self, client: stripe.StripeClient) -> None:
        self._client = client

    def post(self, path: str, params: dict[str, Any], *, idempotency_key: str) -> stripe.StripeResponse:
        """Send `params` under a key, once."""
        return self._call("post", path, {**params, "idempotency_key": idempotency_key})

    def get(self, path: str, params: dict[str, Any]) -> stripe.StripeResponse:
        """Read one object, or one page."""
        return self._call("get", path, params)

    def found(self, path: str, params: dict[str, Any]) -> list[Object]:
        """Return the objects of the first page of a search."""
        return _objects_of(self.get(path, params).data, "search_result")

    def pages(self, path: str, params: dict[str, Any], *, pages_max: int) -> Iterator[list[Object]]:
        """Yield the pages of a list, the newest first. Raises TooManyPagesError after `pages_max`.

        A page that cannot be believed raises UnusableError: only a whole list may say "there is none".
        """
        params = {**params, "limit": PAGE_SIZE}
        for _page_number in range(pages_max):
            page = self.get(path, params).data
            objects = _objects_of(page, "list")
            yield objects
            if not _has_more(page):
                return
            if not objects:
                raise UnusableError("an empty page says that there is more")
            params["starting_after"] = required_id(objects[-1])
        raise TooManyPagesError("the gateway's list is longer than it may be read")

    def _call(self, method: str, path: str, params: dict[str, Any]) -> stripe.StripeResponse:
        # `raw_request` keeps the SDK's parameters, headers, version and errors, and leaves out the
        # building of its objects, which takes as long as all the rest of a call.
        try:
            return self._client.raw_request(method, path, **params)
        except (AttributeError, KeyError, TypeError) as error:
            # The SDK trips over JSON errors of another shape ({"error": null}).
            raise UnusableError("the gateway's error is not of Stripe's shape") from error


def _objects_of(page: object, kind: str) -> list[Object]:
    """Return the objects of a page. Only a well-formed, complete answer may say that there are none."""
    if isinstance(page, Mapping) and page.get("object") == kind and isinstance(page.get("has_more"), bool):
        data = page.get("data")
        if isinstance(data, list) and all(isinstance(item, Mapping) for item in data):
            return data
    raise UnusableError("the gateway's list is not of Stripe's shape")


def _has_more(page: object) -> bool:
    return isinstance(page, Mapping) and page.get("has_more") is True
