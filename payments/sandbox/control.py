"""The sandbox's own endpoints, beside Stripe's: health, faults, configuration, the book, pages for people."""

import asyncio
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from . import collection, intents, witness
from .backstage import encode, find_backstage
from .book import Book
from .calls import Answer
from .configuration import change_settings, show_settings
from .desk import Desk, refusal
from .errors import ApiError, invalid
from .faults import Faults
from .forms import parse_pairs
from .intake import make_call
from .overview import read_overview
from .overview_page import HEADERS, overview_page
from .pages import payer_page
from .routes import Route, writing
from .settings import Settings
from .shapes import dump
from .vocabulary import Operation
from .webhooks import Webhooks

# What a payer does on a page of the sandbox.
_PAGES = {
    "_authenticate": writing(Operation.AUTHENTICATE, intents.authenticate),
    "_pay": writing(Operation.PAY, collection.pay_now),
}
# What the book shows row by row.
_BOOK = {
    "charges": witness.charges_of,
    "refunds": witness.refunds_of,
    "movements": witness.movements_of,
    "requests": witness.requests_of,
}


class Control:
    """Answers what is not Stripe's API. Never delayed, and reachable during every fault."""

    def __init__(
        self,
        *,
        book: Path,
        desk: Desk,
        reading: Book,
        faults: Faults,
        settings: Settings,
        webhooks: Webhooks,
    ) -> None:
        self._book = book
        self._desk = desk
        self._reading = reading
        self._faults = faults
        self._settings = settings
        self._webhooks = webhooks

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        try:
            return await self._route(request)
        except ApiError as error:
            answer = refusal(error)
            return web.Response(text=answer.body, status=answer.status, content_type="application/json")

    async def _route(self, request: web.BaseRequest) -> web.StreamResponse:
        match request.method, request.path.split("/")[1:]:
            case "GET", [""]:
                return await self._show_overview(request.query.get("order_id") or None)
            case "GET", ["_health"]:
                return _json({"status": "ok"})
            case _, ["_faults"]:
                return await self._change_faults(request)
            case _, ["_config"]:
                return await self._configure(request)
            case _, ["_webhooks", name]:
                return await self._serve_webhooks(request, name)
            case "GET", ["_book", name]:
                return self._show_book(name, request.query)
            case "GET", ["_authenticate" | "_pay", intent_id]:
                intent = intents.load_intent(self._reading, intent_id)
                return web.Response(text=payer_page(intent), content_type="text/html")
            case "POST", ["_authenticate" | "_pay" as page, intent_id]:
                return await self._answer_of_payer(request, _PAGES[page], intent_id)
            case method, parts if found := find_backstage(method, parts):
                return await self._perform(request, *found)
        raise ApiError(
            status=404, message=f"Unrecognized request URL ({request.method}: {request.path[:200]})."
        )

    async def _serve_webhooks(self, request: web.BaseRequest, name: str) -> web.Response:
        match request.method, name:
            case "POST", "redeliver":
                event_id = str((await _json_of(request)).get("event"))
                self._webhooks.redeliver(event_id)
                return _json({"event": event_id, "redelivered": True})
            case "GET", "deliveries":
                return _json({"data": witness.deliveries_of(self._reading, request.query.get("event"))})
        raise ApiError(
            status=404, message="There are POST /_webhooks/redeliver and GET /_webhooks/deliveries."
        )

    async def _change_faults(self, request: web.BaseRequest) -> web.Response:
        match request.method:
            case "GET":
                return _json({"data": [fault.shape() for fault in self._faults.active()]})
            case "POST":
                return _json(self._faults.add(await _json_of(request)).shape())
            case "DELETE":
                return _json({"cleared": self._faults.clear()})
        raise ApiError(status=405, message="GET lists faults, POST sets one, DELETE clears them.")

    async def _configure(self, request: web.BaseRequest) -> web.Response:
        if request.method == "POST":
            told_before = self._settings.webhook_url is not None
            change_settings(self._settings, await _json_of(request))
            if not told_before:
                self._webhooks.begin_here()
        return _json(show_settings(self._settings))

    async def _show_overview(self, order_id: str | None) -> web.Response:
        overview = await asyncio.to_thread(read_overview, self._book, order_id=order_id)
        page = overview_page(
            overview,
            faults=[fault.shape() for fault in self._faults.active()],
            settings=show_settings(self._settings),
            now=time.time(),
        )
        return web.Response(text=page, content_type="text/html", headers=HEADERS)

    def _show_book(self, name: str, query: Mapping[str, str]) -> web.Response:
        order_id = query.get("order_id")
        if name == "summary":
            return _json(witness.summarize(self._reading, order_id=order_id))
        if name in _BOOK:
            before = query.get("before", "")
            rows = _BOOK[name](
                self._reading, order_id=order_id, before=int(before) if before.isdecimal() else None
            )
            return _json({"data": rows})
        raise ApiError(
            status=404, message=f"The book shows {', '.join(f'/_book/{one}' for one in ('summary', *_BOOK))}."
        )

    async def _perform(self, request: web.BaseRequest, route: Route, subject: str) -> web.Response:
        answer = await self._execute(request, route, subject, encoded=encode(await _json_of(request)))
        return web.Response(text=answer.body, status=answer.status, content_type="application/json")

    async def _execute(self, request: web.BaseRequest, route: Route, subject: str, *, encoded: str) -> Answer:
        call = make_call(
            request,
            operation=route.operation,
            subject=subject,
            encoded=encoded,
            received_at=time.time(),
            settings=self._settings,
        )
        answer, seq = await self._desk.write(route, call, None)
        self._desk.log_reply(seq, replied_at=time.time())
        return answer

    async def _answer_of_payer(
        self, request: web.BaseRequest, route: Route, intent_id: str
    ) -> web.StreamResponse:
        """Take the payer's answer: JSON from a test, a form from the page."""
        from_page = request.content_type == "application/x-www-form-urlencoded"
        encoded = (await request.read()).decode(errors="replace")
        if not from_page:
            encoded = encode(await _json_of(request))
        waiting = intents.load_intent(self._reading, intent_id)
        answer = await self._execute(request, route, intent_id, encoded=encoded)
        succeed = dict(parse_pairs(encoded)).get("outcome") == "succeed"
        back = _return_address(waiting, answer.status == 200 and succeed)
        if from_page and answer.status == 200 and back is not None:
            return web.Response(status=303, headers={"Location": back})
        if from_page and answer.status == 200:
            return web.Response(
                text=payer_page(intents.load_intent(self._reading, intent_id)), content_type="text/html"
            )
        return web.Response(text=answer.body, status=answer.status, content_type="application/json")


def _return_address(intent: Any, succeeded: bool) -> str | None:  # noqa: FBT001
    """Return where Stripe sends the payer afterwards, with what it appends to the address."""
    action = json.loads(intent.next_action) if intent.next_action else {}
    url = action.get("redirect_to_url", {}).get("return_url")
    if url is None:
        return None
    told = {
        "payment_intent": intent.id,
        "payment_intent_client_secret": intent.client_secret,
        "redirect_status": "succeeded" if succeeded else "failed",
    }
    return f"{url}{'&' if '?' in url else '?'}{urlencode(told)}"


async def _json_of(request: web.BaseRequest) -> dict[str, Any]:
    try:
        body = json.loads(await request.read() or b"{}")
    except (ValueError, RecursionError):
        raise invalid("The body must be JSON.") from None
    if not isinstance(body, dict):
        raise invalid("The body must be a JSON object.")
    return body


def _json(shape: Any) -> web.Response:
    return web.Response(text=dump(shape), content_type="application/json")
