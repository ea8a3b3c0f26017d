"""Stripe, and whatever speaks its dialect, behind the port.

The danger: the SDK retries, logs, and calls every failure an error. Here a request is sent once, and
what comes back is one of the port's answers. The table of who answers what: docs/gateways.md.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import chain
from typing import Any

import stripe

from payments.gateways.base import (
    Absent,
    Answer,
    Declined,
    InDoubt,
    LookupAnswer,
    NotSent,
    Observation,
    Request,
    StatementLine,
    Throttled,
)
from payments.gateways.errors import StatementUnavailableError
from payments.gateways.guarded import GuardedClient
from payments.gateways.http import ThinClient
from payments.gateways.stripe_amounts import AmountRefusedError
from payments.gateways.stripe_answers import answer_of
from payments.gateways.stripe_api import StripeApi
from payments.gateways.stripe_errors import answer_of_error, answer_of_failed_lookup, is_unknown, unanswered
from payments.gateways.stripe_evidence import evidence_of, evidence_of_error
from payments.gateways.stripe_lookups import look_up, refund_pages
from payments.gateways.stripe_observation import observation_of
from payments.gateways.stripe_requests import CHARGE_INCLUDED, call_of, intent_path
from payments.gateways.stripe_statement import line_of

# Together below the lease of a saga (15 s), so that a slow call does not look like a dead worker.
CONNECT_TIMEOUT_S = 2.0
READ_TIMEOUT_S = 8.0
# A payment has one dispute, rarely two; this many are a mistake, of theirs or of ours.
DISPUTE_PAGES_MAX = 2
# Two million movements. A reconciliation that asks for more should ask for less time.
STATEMENT_PAGES_MAX = 20_000


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
        self._api = StripeApi(
            stripe.StripeClient(
                secret_key,
                base_addresses={"api": self._url},
                max_network_retries=0,
                http_client=GuardedClient(
                    ThinClient(
                        origin=self._url,
                        connect_timeout_s=connect_timeout_s,
                        read_timeout_s=read_timeout_s,
                    ),
                    account=name,
                ),
            )
        )

    def __repr__(self) -> str:
        return f"StripeGateway(name={self.name!r}, url={self._url!r})"

    def send(self, request: Request) -> Answer:
        """Carry out `request` under its key, once. Raises KeyReusedError: a bug, not an answer."""
        try:
            call = call_of(request, return_url=self._return_url)
            heard = self._api.post(call.path, call.params, idempotency_key=request.key)
        except AmountRefusedError as refused:
            return Declined(refused.code, str(refused))
        except stripe.StripeError as error:
            return answer_of_error(request, error).with_evidence(evidence_of_error(error))
        evidence = evidence_of(heard.data, http_status=heard.code, headers=heard.headers)
        return answer_of(request, heard.data).with_evidence(evidence)

    def look_up(self, request: Request, *, thoroughly: bool = False) -> LookupAnswer:
        """Ask what became of `request`. Search lags behind: absence is no "no" for a minute or more.

        `thoroughly` reads the list as well, which does not lag, as far as it can be read.
        """
        try:
            call_of(request, return_url=self._return_url)
            return look_up(self._api, request, thoroughly=thoroughly)
        except AmountRefusedError as refused:  # so it cannot have been sent
            return Declined(refused.code, str(refused))
        except stripe.StripeError as error:
            return answer_of_failed_lookup(request, error).with_evidence(evidence_of_error(error))

    def observe(self, reference: str) -> Observation | Absent | NotSent | Throttled | InDoubt:
        """Ask for the payment, its refunds and its disputes, one after the other.

        What happens in between may show in one and not in the other: ask again before acting on it.
        """
        try:
            heard = self._api.get(intent_path(reference), CHARGE_INCLUDED)
            refunds = chain.from_iterable(refund_pages(self._api, reference))
            disputes = chain.from_iterable(self._dispute_pages(reference))
            observation = observation_of(reference, heard.data, refunds, disputes)
        except stripe.StripeError as error:
            answer = Absent() if is_unknown(error) else unanswered(error)
            return replace(answer, evidence=evidence_of_error(error))
        evidence = evidence_of(heard.data, http_status=heard.code, headers=heard.headers)
        return replace(observation, evidence=evidence)

    def statement(self, *, since: datetime | None) -> Iterator[StatementLine]:
        """Yield the movements of the account's balance from `since` on, newest first.

        Holds one page at a time. Raises StatementUnavailableError.
        """
        params: dict[str, Any] = {"expand": ["data.source"]}
        if since is not None:
            params["created"] = {"gte": int(since.timestamp())}
        pages = self._api.pages("/v1/balance_transactions", params, pages_max=STATEMENT_PAGES_MAX)
        try:
            for page in pages:
                yield from [line_of(transaction) for transaction in page]
        except stripe.StripeError as error:
            raise StatementUnavailableError(
                "a page of the gateway's list could not be had; ask again later",
                gateway=self.name,
                error=getattr(unanswered(error), "error", "throttled"),
            ) from error

    def _dispute_pages(self, reference: str) -> Iterator[list[Any]]:
        params = {"payment_intent": reference}
        return self._api.pages("/v1/disputes", params, pages_max=DISPUTE_PAGES_MAX)
