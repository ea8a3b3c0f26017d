"""A message carries how far its sender had written, so that its task reads nothing older.

The danger: a task that may read the replica starts before the replica has replayed the write that it was
sent for, finds nothing, and concludes that there is nothing.
"""

from collections.abc import Mapping, MutableMapping
from contextlib import AbstractContextManager
from typing import Any

import django.db
from django.db import connections

from resilience.routing.databases import PRIMARY
from resilience.routing.scope import knowing, known_tokens
from resilience.routing.tokens import (
    NEVER_REPLAYED,
    CausalityToken,
    MalformedTokenError,
    capture_token,
    parse_token,
)

HEADER = "consistency_token"


def send_token(headers: MutableMapping[str, Any]) -> None:
    """Add to a message's headers what its task must know of, if there is anything."""
    token = _token_of_sender()
    if token is not None:
        headers[HEADER] = str(token)


def with_token_of(headers: Mapping[str, Any]) -> AbstractContextManager[None]:
    """Return the block in which a task runs: no read in it is older than what its sender knew of."""
    text = headers.get(HEADER)
    if text is None:
        return knowing(None)
    try:
        return knowing(parse_token(str(text)))
    except MalformedTokenError:
        return knowing(NEVER_REPLAYED)


def _token_of_sender() -> CausalityToken | None:
    """Return a token past all that this thread may have written: one short query, where it may have."""
    connection = connections[PRIMARY]
    if connection.in_atomic_block:
        # What it writes lies behind any position that could be asked for now.
        return NEVER_REPLAYED
    if connection.connection is None:
        return max(known_tokens(), key=lambda token: (token.timeline, token.position), default=None)
    try:
        return capture_token()
    except django.db.Error:
        return NEVER_REPLAYED
