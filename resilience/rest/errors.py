"""What can be wrong with a request, as refusals that name the place and the cure."""

from collections.abc import Iterable
from dataclasses import dataclass

from resilience.errors import Refusal

# A request that is wrong everywhere is answered with this many errors: enough to mend it, and an
# answer that stays small however large the request was.
ERRORS_MAX = 50
# A key of the client's is repeated in an answer up to this length.
_KEY_SHOWN_MAX = 80


@dataclass(frozen=True)
class FieldError:
    """One thing wrong. `field`: a JSON pointer into the body, or the bare name of a query parameter
    or header; "" is the body itself."""

    field: str
    code: str
    detail: str


class InvalidRequest(Refusal):
    """A request that breaks the contract of the API; nothing was done."""

    code = "validation_failed"

    def __init__(self, message: str, *, errors: Iterable[FieldError] = ()) -> None:
        super().__init__(message)
        self.errors = tuple(errors)[:ERRORS_MAX]


class InvalidJSON(InvalidRequest):
    """A body that is not JSON with exactly one meaning."""

    code = "invalid_json"


class CardNumberRefused(InvalidRequest):
    """A body with something that looks like a card number. The number itself is never repeated."""

    code = "card_number_refused"


class InvalidQuery(InvalidRequest):
    """A query string, path or header that cannot be read."""

    code = "invalid_query"


class InvalidCursor(InvalidRequest):
    """A cursor that this list did not give to this client."""

    code = "invalid_cursor"


class BodyTooLarge(Refusal):
    """A body above the limit; it was not read to its end."""

    code = "body_too_large"


def invalid_field(field: str, *, code: str, detail: str) -> InvalidRequest:
    """Return the refusal of a request for one field."""
    return InvalidRequest(f"{field or 'The body'}: {detail}", errors=[FieldError(field, code, detail)])


def pointer(path: Iterable[str | int]) -> str:
    """Return the RFC 6901 JSON pointer of a path, safe to print and bounded.

    >>> pointer(["lines", 0, "a/b"])
    '/lines/0/a~1b'
    """
    return "".join("/" + shown(str(part)).replace("~", "~0").replace("/", "~1") for part in path)


def shown(text: str) -> str:
    """Return a client's own name for something as it may be repeated: printable, and not too long."""
    short = text[:_KEY_SHOWN_MAX]
    return short if short.isprintable() else short.encode("unicode_escape").decode("ascii")
