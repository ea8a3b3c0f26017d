"""Which endpoint answers which method and path."""

from dataclasses import dataclass

from . import intents, reads, refunds
from .calls import Endpoint
from .errors import ApiError
from .vocabulary import Operation


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint, and whether it writes to the book."""

    operation: Operation
    endpoint: Endpoint
    writes: bool


def writing(operation: Operation, endpoint: Endpoint) -> Route:
    """Return the route of an endpoint that writes."""
    return Route(operation, endpoint, writes=True)


def _retrieving(endpoint: Endpoint) -> Route:
    return Route(Operation.RETRIEVE, endpoint, writes=False)


def _listing(endpoint: Endpoint) -> Route:
    return Route(Operation.LIST, endpoint, writes=False)


_COLLECTIONS = {
    ("POST", "payment_intents"): writing(Operation.CREATE, intents.create),
    ("GET", "payment_intents"): _listing(reads.list_intents),
    ("POST", "refunds"): writing(Operation.REFUND, refunds.create),
    ("GET", "refunds"): _listing(reads.list_refunds),
    ("GET", "charges"): _listing(reads.list_charges),
    ("GET", "disputes"): _listing(reads.list_disputes),
    ("GET", "balance_transactions"): _listing(reads.list_balance_transactions),
    ("GET", "events"): _listing(reads.list_events),
}
_OBJECTS = {
    ("GET", "payment_intents"): _retrieving(reads.retrieve_intent),
    ("GET", "refunds"): _retrieving(reads.retrieve_refund),
    ("GET", "charges"): _retrieving(reads.retrieve_charge),
    ("GET", "disputes"): _retrieving(reads.retrieve_dispute),
    ("GET", "balance_transactions"): _retrieving(reads.retrieve_balance_transaction),
    ("GET", "events"): _retrieving(reads.retrieve_event),
}
_ACTIONS = {
    ("POST", "payment_intents", "confirm"): writing(Operation.CONFIRM, intents.confirm),
    ("POST", "payment_intents", "capture"): writing(Operation.CAPTURE, intents.capture),
    ("POST", "payment_intents", "cancel"): writing(Operation.CANCEL, intents.cancel),
}
_SEARCH = _listing(reads.search_intents)


def find_route(method: str, path: str) -> tuple[Route, str]:
    """Return the route and the id in the path. Raises Stripe's 404."""
    route, subject = None, ""
    match path.split("/"):
        case ["", "v1", collection]:
            route = _COLLECTIONS.get((method, collection))
        case ["", "v1", "payment_intents", "search"]:
            route = _SEARCH if method == "GET" else None
        case ["", "v1", collection, subject]:
            route = _OBJECTS.get((method, collection))
        case ["", "v1", collection, subject, action]:
            route = _ACTIONS.get((method, collection, action))
    if route is None:
        raise ApiError(
            status=404,
            message=f"Unrecognized request URL ({method}: {path[:200]}). This sandbox knows the part of"
            " Stripe's API that docs/sandbox.md lists.",
        )
    return route, subject
