"""Retrieving and listing. Reads see committed rows only and change nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import parameters
from .balance_shapes import balance_transaction_shape
from .book import Book
from .calls import Answer, Call
from .charge_shapes import charge_shape, refund_shape
from .dispute_shapes import dispute_shape
from .errors import invalid, missing_resource
from .expansion import expand, expanded_names
from .forms import Form, items_of
from .records import BalanceTransaction, Charge, Dispute, Event, Intent, Refund
from .search import parse_query
from .shapes import dump, event_shape, intent_shape

PAGE_DEFAULT = 10
PAGE_MAX = 100


@dataclass(frozen=True)
class _Kind:
    """How one kind of object is shown, and by which columns its list may be filtered."""

    name: str
    url: str
    shape: Callable[[Any], dict[str, Any]]
    filters: dict[str, str]


_KINDS: dict[type, _Kind] = {
    Intent: _Kind("payment_intent", "/v1/payment_intents", intent_shape, {"customer": "customer"}),
    Charge: _Kind(
        "charge", "/v1/charges", charge_shape, {"customer": "customer", "payment_intent": "intent_id"}
    ),
    Refund: _Kind(
        "refund", "/v1/refunds", refund_shape, {"charge": "charge_id", "payment_intent": "intent_id"}
    ),
    Dispute: _Kind(
        "dispute", "/v1/disputes", dispute_shape, {"charge": "charge_id", "payment_intent": "intent_id"}
    ),
    BalanceTransaction: _Kind(
        "balance_transaction",
        "/v1/balance_transactions",
        balance_transaction_shape,
        {"currency": "currency", "source": "source", "type": "type"},
    ),
}
_EVENTS_URL = "/v1/events"
_COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def retrieve_intent(book: Book, call: Call) -> Answer:
    """`GET /v1/payment_intents/{id}`."""
    return _retrieved(book, call, Intent, book.intent(call.subject))


def retrieve_charge(book: Book, call: Call) -> Answer:
    """`GET /v1/charges/{id}`."""
    return _retrieved(book, call, Charge, book.charge(call.subject))


def retrieve_refund(book: Book, call: Call) -> Answer:
    """`GET /v1/refunds/{id}`."""
    return _retrieved(book, call, Refund, book.refund(call.subject))


def retrieve_dispute(book: Book, call: Call) -> Answer:
    """`GET /v1/disputes/{id}`."""
    return _retrieved(book, call, Dispute, book.find(Dispute, call.subject))


def retrieve_balance_transaction(book: Book, call: Call) -> Answer:
    """`GET /v1/balance_transactions/{id}`."""
    return _retrieved(book, call, BalanceTransaction, book.find(BalanceTransaction, call.subject))


def retrieve_event(book: Book, call: Call) -> Answer:
    """`GET /v1/events/{id}`."""
    parameters.refuse_unknown(call.form, parameters.RETRIEVE)
    event = book.event(call.subject)
    if event is None:
        raise missing_resource(kind="event", id=call.subject)
    return Answer(200, dump(event_shape(event)))


def list_intents(book: Book, call: Call) -> Answer:
    """`GET /v1/payment_intents`."""
    return _listed(book, call, Intent)


def list_charges(book: Book, call: Call) -> Answer:
    """`GET /v1/charges`."""
    return _listed(book, call, Charge)


def list_refunds(book: Book, call: Call) -> Answer:
    """`GET /v1/refunds`."""
    return _listed(book, call, Refund)


def list_disputes(book: Book, call: Call) -> Answer:
    """`GET /v1/disputes`."""
    return _listed(book, call, Dispute)


def list_balance_transactions(book: Book, call: Call) -> Answer:
    """`GET /v1/balance_transactions`."""
    return _listed(book, call, BalanceTransaction)


def list_events(book: Book, call: Call) -> Answer:
    """`GET /v1/events`."""
    parameters.refuse_unknown(call.form, parameters.LIST | {"type", "types"})
    where, arguments = _window(book, call.form, Event)
    types = items_of(call.form.get("types"), param="types")
    if (only := parameters.text(call.form, "type")) is not None:
        types.append(only)
    if types:
        where.append(f"type IN ({', '.join('?' * len(types))})")
        arguments += types
    rows, has_more = _page(book, call.form, Event, where, arguments)
    return Answer(200, _list_text(_EVENTS_URL, [event_shape(row) for row in rows], has_more=has_more))


def search_intents(book: Book, call: Call) -> Answer:
    """`GET /v1/payment_intents/search`."""
    parameters.refuse_unknown(call.form, parameters.SEARCH)
    names = expanded_names(call.form, kind="payment_intent", in_list=True)
    where, arguments = parse_query(parameters.required_text(call.form, "query"))
    page = parameters.text(call.form, "page")
    if page is not None:
        place = book.seq_of(Intent, page)
        if place is None:
            raise invalid("Invalid page.", param="page")
        where.append("seq < ?")
        arguments.append(place)
    rows, has_more = _page(book, call.form, Intent, where, arguments)
    result = {
        "object": "search_result",
        "url": "/v1/payment_intents/search",
        "has_more": has_more,
        "next_page": rows[-1].id if has_more else None,
        "data": [expand(book, intent_shape(row), names) for row in rows],
    }
    return _about(Answer(200, dump(result)), rows)


def _retrieved(book: Book, call: Call, record: type, row: Any) -> Answer:
    kind = _KINDS[record]
    parameters.refuse_unknown(call.form, parameters.RETRIEVE)
    names = expanded_names(call.form, kind=kind.name)
    if row is None:
        raise missing_resource(kind=kind.name, id=call.subject, param="intent" if record is Intent else "id")
    return _about(Answer(200, dump(expand(book, kind.shape(row), names))), [row])


def _listed(book: Book, call: Call, record: type) -> Answer:
    kind = _KINDS[record]
    parameters.refuse_unknown(call.form, parameters.LIST | kind.filters.keys())
    names = expanded_names(call.form, kind=kind.name, in_list=True)
    where, arguments = _window(book, call.form, record)
    for param, column in kind.filters.items():
        value = parameters.text(call.form, param)
        if value is not None:
            where.append(f"{column} = ?")
            arguments.append(value)
    rows, has_more = _page(book, call.form, record, where, arguments)
    data = [expand(book, kind.shape(row), names) for row in rows]
    return _about(Answer(200, _list_text(kind.url, data, has_more=has_more)), rows)


def _list_text(url: str, data: list[dict[str, Any]], *, has_more: bool) -> str:
    return dump({"object": "list", "url": url, "has_more": has_more, "data": data})


def _window(book: Book, form: Form, record: type) -> tuple[list[str], list[Any]]:
    """Return the conditions of `created`, `starting_after` and `ending_before`."""
    where: list[str] = []
    arguments: list[Any] = []
    created = form.get("created")
    bounds = created if isinstance(created, dict) else {"": created} if created else {}
    for name in bounds:
        sign = "=" if name == "" else _COMPARISONS.get(name)
        moment = parameters.integer(bounds, name)
        if sign is None or moment is None:
            raise invalid("Invalid object", param="created")
        where.append(f"created {sign} ?")
        arguments.append(moment)
    for param, sign in (("starting_after", "<"), ("ending_before", ">")):
        id = parameters.text(form, param)
        if id is not None:
            place = book.seq_of(record, id)
            if place is None:
                kind = record.__name__.lower() if record is Event else _KINDS[record].name
                raise missing_resource(kind=kind, id=id, param=param, status=400)
            where.append(f"seq {sign} ?")
            arguments.append(place)
    return where, arguments


def _page(
    book: Book, form: Form, record: type, where: list[str], arguments: list[Any]
) -> tuple[list[Any], bool]:
    limit = parameters.integer(form, "limit")
    if limit is None:
        limit = PAGE_DEFAULT
    if not 1 <= limit <= PAGE_MAX:
        raise invalid(f"Invalid limit: must be between 1 and {PAGE_MAX}", param="limit")
    upward = "ending_before" in form
    condition = " AND ".join(where) or "TRUE"
    rows = book.select(record, condition, arguments, limit=limit + 1, oldest_first=upward)
    page = rows[:limit]
    return (page[::-1] if upward else page), len(rows) > limit


def _about(answer: Answer, rows: list[Any]) -> Answer:
    """Note in the request log which order was read, when it is one."""
    orders = {row.order_id for row in rows}
    if len(orders) == 1:
        answer.order_id = orders.pop()
    return answer
