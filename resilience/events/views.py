"""The pull feed: a client reads its own events at its own pace, and keeps the place itself."""

from typing import ClassVar

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from resilience.apikeys.authentication import principal_of
from resilience.events.asyncapi import document
from resilience.events.days import beginning
from resilience.events.declaration import event_types
from resilience.events.following import latest, read_after
from resilience.events.reading import Cursor, Page
from resilience.events.shapes import EventPage
from resilience.rest.errors import Refusal, invalid_field
from resilience.rest.pagination import LIMIT_MAX, make_cursor, open_cursor, read_limit
from resilience.rest.query import query_parameters


class EventsForgotten(Refusal):
    """A cursor from before the time that the log keeps."""

    code = "events_forgotten"


_PARAMETERS = frozenset({"after", "types", "limit"})
_LATEST = "latest"
# A client whose events are rare is led past those of others, this many reads at a time; then it gets an
# empty page with a cursor that has moved, and asks again.
_READS_MAX = 40


class AsyncApiView(APIView):
    """What events there are."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        """Return the AsyncAPI document."""
        query_parameters(request, allowed=frozenset())
        return Response(document())


class EventsView(APIView):
    """The events of a client's own orders and payments."""

    required_permissions: ClassVar = {"GET": "events.read"}

    @extend_schema(
        operation_id="listEvents",
        responses={200: EventPage},
        parameters=[
            OpenApiParameter("after", str, description="`next_cursor` of an earlier page, or `latest`"),
            OpenApiParameter("types", str, description="event types, with commas between them"),
            OpenApiParameter("limit", int),
        ],
    )
    def get(self, request: Request) -> Response:
        """List your events in the order of the log, from the first one or behind `after`.

        `after=latest` gives an empty page whose cursor leads to what happens from now on.
        Nothing is ever added before a cursor. A page may be empty: go on with its `next_cursor`, later.
        """
        parameters = query_parameters(request, allowed=_PARAMETERS)
        client = principal_of(request).client
        scope = f"{client} events"
        limit = read_limit(parameters.get("limit")) if "limit" in parameters else LIMIT_MAX
        page = _read(
            _place(parameters.get("after"), scope=scope),
            client=client,
            types=_types(parameters.get("types")),
            limit=limit,
        )
        return Response(
            {
                "data": [found.event.envelope() for found in page.found],
                "next_cursor": make_cursor(f"{page.end.xid}.{page.end.position}", scope=scope),
            }
        )


def _read(after: Cursor, *, client: str, types: tuple[str, ...] | None, limit: int) -> Page:
    page = Page(found=(), end=after, skipped=0)
    for _read in range(_READS_MAX):
        page = read_after(page.end, client=client, types=types, limit=limit)
        if page.found or not page.skipped:
            break
    return page


def _place(after: str | None, *, scope: str) -> Cursor:
    if after is None:
        return Cursor()
    if after == _LATEST:
        return latest()
    xid, _, position = open_cursor(after, scope=scope, field="after").partition(".")
    place = Cursor(int(xid), int(position))
    mark = beginning()
    if mark is not None and 0 < place.xid < mark.xid:
        raise EventsForgotten(
            f"Events behind this cursor may be gone: the log begins on {mark.day}. Read the orders as they "
            "are now (GET /api/v1/orders), and follow from the first event that there is, without `after`."
        )
    return place


def _types(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    wanted = tuple(dict.fromkeys(text.split(",")))
    known = {declared.name for declared in event_types()}
    if unknown := sorted(set(wanted) - known):
        raise invalid_field(
            "types", code="unknown_type", detail=f"No event type is named {unknown[0][:64]!r}."
        )
    return wanted
