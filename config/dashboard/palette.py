"""What the command palette (Ctrl+K) finds beside the lists: pages by their name, and things by their id.

Nothing that changes is told of them: the theme keeps what somebody found for five minutes.
"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from unfold.dataclasses import SearchResult

from orders.models import Order
from payments.gateways.registry import gateway_names
from payments.models import Payment
from resilience.routing.databases import PRIMARY
from resilience.saga.models import Saga

_NUMBER_DIGITS_MAX = 18


def search(request: HttpRequest, term: str) -> list[SearchResult]:
    """Return what `term` names, as far as one may see it: part of a title, a whole id or reference."""
    term = term.strip().lower()
    # The theme hands it on in small letters, and a gateway's references have both.
    reference = request.GET.get("s", "").strip()
    return [*_pages(request, term), *_things(request, term, reference)] if term else []


def _pages(request: HttpRequest, term: str) -> Iterator[SearchResult]:
    # The theme's own site, which no stub knows.
    site: Any = admin.site
    for group in site.get_sidebar_list(request):
        for item in group["items"]:
            if term in str(item["title"]).lower():
                yield SearchResult(str(item["title"]), "page", str(item["link"]), item.get("icon"))


def _things(request: HttpRequest, term: str, reference: str) -> Iterator[SearchResult]:
    if request.user.has_perm("orders.view_order"):
        yield from _orders(term)
    if request.user.has_perm("payments.view_payment"):
        yield from _payments(term, reference)
    if request.user.has_perm("resilience.view_saga") and (id_ := _uuid(term)):
        for saga in Saga.objects.using(PRIMARY).filter(pk=id_):
            link = reverse("admin:resilience_saga_change", args=[saga.pk])
            yield SearchResult(f"Saga {saga.definition}", str(saga.pk), link, "route")


def _orders(term: str) -> Iterator[SearchResult]:
    wanted: dict[str, Any] = {}
    if term.isascii() and term.isdigit() and len(term) <= _NUMBER_DIGITS_MAX:
        wanted = {"number": int(term)}
    elif id_ := _uuid(term):
        wanted = {"pk": id_}
    for order in Order.objects.using(PRIMARY).filter(**wanted) if wanted else ():
        link = reverse("dashboard:order", args=[order.pk])
        yield SearchResult(f"Order {order.number}", order.client, link, "shopping_bag")


def _payments(term: str, reference: str) -> Iterator[SearchResult]:
    wanted: dict[str, Any] = {}
    if id_ := _uuid(term):
        wanted = {"pk": id_}
    elif "_" in reference:
        # The index is by gateway first.
        wanted = {"gateway__in": gateway_names(), "reference": reference}
    for payment in Payment.objects.using(PRIMARY).filter(**wanted)[:10] if wanted else ():
        link = reverse("dashboard:order", args=[payment.order_id])
        yield SearchResult(f"Payment of {payment.method}", payment.reference, link, "credit_card")


def _uuid(term: str) -> UUID | None:
    try:
        return UUID(term)
    except ValueError:
        return None
