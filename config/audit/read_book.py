"""Hear every configured gateway account, before any snapshot is taken."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
from django.conf import settings

from config.audit.sandbox_book import TIMEOUT_S, SandboxBook
from config.audit.statement_book import read_statement
from payments.audit.book import BookCharge, BookMovement, BookRefund, BookRequest, GatewayBook
from payments.gateways.errors import StatementUnavailableError
from payments.gateways.registry import gateway
from payments.gateways.stripe_amounts import UnevenAmountError


@dataclass
class _Heard:
    silent: dict[str, str] = field(default_factory=dict)
    sandboxes: set[str] = field(default_factory=set)
    charges: list[BookCharge] = field(default_factory=list)
    refunds: list[BookRefund] = field(default_factory=list)
    movements: list[BookMovement] = field(default_factory=list)
    requests: list[BookRequest] = field(default_factory=list)


def read_book(*, now: datetime) -> GatewayBook:
    """Return the books of all accounts; one that cannot be read is named as silent.

    A sandbox shows its own book, and is asked for that; of any other gateway the statement is read.
    """
    heard = _Heard()
    for account in settings.GATEWAYS:
        try:
            _hear(account, heard)
        except (httpx.HTTPError, StatementUnavailableError, UnevenAmountError) as error:
            heard.silent[account["name"]] = f"{type(error).__name__}: {error}"
    names = {account["name"] for account in settings.GATEWAYS}
    return GatewayBook(
        read_at=now,
        accounts=frozenset(names - heard.silent.keys()),
        silent=heard.silent,
        logs_requests=frozenset(heard.sandboxes),
        charges=tuple(heard.charges),
        refunds=tuple(heard.refunds),
        movements=tuple(heard.movements),
        requests=tuple(heard.requests),
    )


def _hear(account: Mapping[str, Any], heard: _Heard) -> None:
    name, url = account["name"], account.get("url")
    if url:
        with httpx.Client(base_url=url, timeout=TIMEOUT_S) as http:
            book = SandboxBook(account=name, http=http)
            if book.is_there():
                heard.sandboxes.add(name)
                heard.refunds += book.refunds()
                heard.movements += book.movements()
                heard.requests += book.requests()
                heard.charges += book.charges()
                return
    statement = read_statement(gateway(name))
    heard.charges += statement.charges
    heard.refunds += statement.refunds
    heard.movements += statement.movements
