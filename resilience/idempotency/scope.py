"""What makes two requests the same one: client, endpoint and key; and the body it must come with."""

import hashlib
import json
import re
from dataclasses import dataclass

from django.http import HttpRequest

from resilience.idempotency.errors import IdempotencyKeyInvalid, IdempotencyKeyMissing
from resilience.rest.errors import FieldError

HEADER = "Idempotency-Key"
_KEY = re.compile(r"[ -~]{1,255}")
# What the column holds; a path this long names nothing, but must not become a database error.
_ENDPOINT_LENGTH_MAX = 512


@dataclass(frozen=True)
class Scope:
    """Under which name an answer is stored. Other clients' and other endpoints' keys are other names."""

    client: str
    endpoint: str
    key: str

    @property
    def lock_id(self) -> int:
        """The advisory lock of this scope: 64 bits of a hash, shared with no other use of the key."""
        text = "\n".join(("idempotency", self.client, self.endpoint, self.key))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True)


def read_scope(request: HttpRequest, *, client: str) -> Scope:
    """Return the scope of a request; the endpoint is its method and path, ids included.

    Raises IdempotencyKeyMissing or IdempotencyKeyInvalid.
    """
    endpoint = f"{request.method} {request.path}"
    if len(endpoint) > _ENDPOINT_LENGTH_MAX:
        endpoint = f"{request.method} {hashlib.sha256(request.path.encode()).hexdigest()}"
    return Scope(client=client, endpoint=endpoint, key=_read_key(request))


def fingerprint(body: object) -> bytes:
    """Return the SHA-256 of the canonical JSON: spaces and the order of keys do not count, 1.0 is not 1."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).digest()


def _read_key(request: HttpRequest) -> str:
    key = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is None:
        detail = "Send an Idempotency-Key header: a name of your own for this request, such as a UUID."
        raise IdempotencyKeyMissing(detail, errors=[FieldError(HEADER, "required", detail)])
    if _KEY.fullmatch(key) is None:
        detail = "Send an Idempotency-Key of 1 to 255 printable ASCII characters."
        raise IdempotencyKeyInvalid(detail, errors=[FieldError(HEADER, "invalid", detail)])
    return key
