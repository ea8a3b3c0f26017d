"""The HTTP side of the sandbox: takes a request, lets a fault meet it, and replies."""

import asyncio
import time

from aiohttp import web

from . import transport
from .calls import Answer, Call
from .control import Control
from .desk import Desk, refusal
from .distortion import with_wrong_amounts
from .errors import ApiError, rate_limited
from .faults import Fault, Faults
from .intake import authenticate, make_call, token_of
from .parameters import refuse_long_key
from .records import new_id
from .routes import Route, find_route
from .settings import Settings
from .vocabulary import FaultKind

API_ROOT = "/v1/"

# The request goes missing, and there is no answer.
_UNHEARD = frozenset({FaultKind.DOWN, FaultKind.RESET_BEFORE, FaultKind.LOSE_REQUEST})


class Server:
    """Answers every request that reaches the process."""

    def __init__(self, *, desk: Desk, faults: Faults, control: Control, settings: Settings) -> None:
        self._desk = desk
        self._faults = faults
        self._control = control
        self._settings = settings

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        if not request.path.startswith(API_ROOT):
            return await self._control.handle(request)
        received_at = time.time()
        body = await request.read()
        try:
            authenticate(request, secret_key=self._settings.secret_key)
            route, subject = find_route(request.method, request.path)
            call = make_call(
                request,
                operation=route.operation,
                subject=subject,
                encoded=body.decode(errors="replace") if route.writes else request.query_string,
                received_at=received_at,
                settings=self._settings,
            )
        except ApiError as error:
            # No key, no such page, no readable form: nothing that a fault or the log could be about.
            return transport.refuse(refusal(error), request_id=new_id("req"))
        return await self._meet(request, route, call)

    async def _meet(self, request: web.BaseRequest, route: Route, call: Call) -> web.StreamResponse:
        """Turn the request away as a fault demands, or carry it out."""
        fault = self._faults.strike(call.operation, token=token_of(call.form), key=call.key)
        if fault is not None and fault.kind in _UNHEARD:
            self._desk.log_turned_away(call, fault)
            if fault.kind == FaultKind.LOSE_REQUEST:
                return await transport.hang(request, longest_s=fault.delay_ms / 1_000)
            return transport.reset(request)
        try:
            if fault is not None and fault.kind == FaultKind.THROTTLE:
                raise rate_limited(retry_after_s=max(1, -(-fault.delay_ms // 1_000)))
            await _pause(self._settings.latency_ms / 2)
            if route.writes:
                return await self._write(request, route, call, fault)
            return await self._read(request, route, call, fault)
        except ApiError as error:
            self._desk.log_turned_away(call, fault, status=error.status)
            return transport.refuse(refusal(error), request_id=call.request_id)

    async def _write(
        self, request: web.BaseRequest, route: Route, call: Call, fault: Fault | None
    ) -> web.StreamResponse:
        refuse_long_key(call.key)
        self._desk.begin(call)
        try:
            await _pause_if_slow(fault)
            answer, seq = await self._desk.write(route, call, fault)
        finally:
            self._desk.end(call)
        response, replied_at = await self._reply(request, call, answer, fault)
        if replied_at is not None:
            self._desk.log_reply(seq, replied_at=replied_at)
        return response

    async def _read(
        self, request: web.BaseRequest, route: Route, call: Call, fault: Fault | None
    ) -> web.StreamResponse:
        await _pause_if_slow(fault)
        answer, receipt = self._desk.read(route, call, fault)
        response, receipt.replied_at = await self._reply(request, call, answer, fault)
        self._desk.log(receipt)
        return response

    async def _reply(
        self, request: web.BaseRequest, call: Call, answer: Answer, fault: Fault | None
    ) -> tuple[web.StreamResponse, float | None]:
        """Reply, and say when the whole answer had left; None if a fault took it."""
        await _pause(self._settings.latency_ms / 2)
        if fault is not None:
            match fault.kind:
                case FaultKind.LOSE_ANSWER:
                    return await transport.hang(request, longest_s=fault.delay_ms / 1_000), None
                case FaultKind.RESET_AFTER:
                    return transport.reset(request), None
                case FaultKind.GARBAGE:
                    return transport.garble(request, answer, chance=self._faults.chance), None
                case FaultKind.TRUNCATE:
                    return transport.truncate(answer), None
                case FaultKind.WRONG_AMOUNT:
                    # Only what is said is wrong: the book, and what is kept under the key, are right.
                    answer.body = with_wrong_amounts(answer.body)
        return await transport.send(request, call, answer)


async def _pause_if_slow(fault: Fault | None) -> None:
    """Be slow before the effect: it then happens after a client with less patience has given up."""
    if fault is not None and fault.kind == FaultKind.SLOW:
        await _pause(fault.delay_ms)


async def _pause(wait_ms: float) -> None:
    if wait_ms > 0:
        await asyncio.sleep(wait_ms / 1_000)
