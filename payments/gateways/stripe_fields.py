"""Reading the fields of Stripe's objects, which may be anything at all. Pure.

The danger: a body that is trusted because it came from the right address. Whatever is missing, or of
another type, reads as nothing, or raises where nothing would be a lie.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import stripe

# A gateway's text goes into rows and logs.
TEXT_CHARS_MAX = 500

Object = Mapping[str, Any]


class UnusableError(stripe.StripeError):
    """What the gateway answered to a question is not Stripe's, or says nothing that can be used."""


class TooManyPagesError(UnusableError):
    """A list is longer than it may be read."""


def id_of(body: Object) -> str:
    """Return the object's id; "" when there is none."""
    return text(body, "id")


def text(body: Object, field: str) -> str:
    """Return a text of theirs as our columns can hold it; "" when there is none."""
    value = body.get(field)
    if not isinstance(value, str):
        return ""
    return value[:TEXT_CHARS_MAX].replace("\0", "").encode(errors="replace").decode()


def part(body: Object, field: str) -> Object:
    """Return the object inside `body`, empty when there is none."""
    value = body.get(field)
    return value if isinstance(value, Mapping) else {}


def moment(body: Object, field: str) -> datetime | None:
    """Return a time, in UTC; None when there is none."""
    value = body.get(field)
    if type(value) is not int:
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OSError, OverflowError, ValueError):
        return None


def required_moment(body: Object, field: str) -> datetime:
    """Return a time, in UTC. Raises UnusableError."""
    value = moment(body, field)
    if value is None:
        raise UnusableError(f"the gateway's {field} is not a time")
    return value


def required_int(body: Object, field: str) -> int:
    """Return a whole number. Raises UnusableError."""
    value = body.get(field)
    if type(value) is not int:  # neither 12.0 nor True is an amount
        raise UnusableError(f"the gateway's {field} is not a whole number")
    return value


def required_id(body: Object) -> str:
    """Return the object's id. Raises UnusableError."""
    value = id_of(body)
    if not value:
        raise UnusableError("the gateway's object has no id")
    return value


def id_at(body: Object, field: str) -> str:
    """Return the id that `field` holds, whether the object behind it was expanded or not."""
    value = body.get(field)
    return id_of(value) if isinstance(value, Mapping) else text(body, field)


def capture_before_of(intent: Object) -> datetime | None:
    """Return when the authorization lapses; None unless `latest_charge` is expanded and says so."""
    details = part(part(intent, "latest_charge"), "payment_method_details")
    kind = details.get("type")
    return moment(part(details, kind), "capture_before") if isinstance(kind, str) else None
