"""The admin as a window: rows can be found and looked at, and nothing else.

The danger: a form that saves a row writes past the state machine, the fence and the ledger. So what
an operator may change gets an act of its own, which asks first (`acts`), and these pages have no form at all.
They read the primary: whoever repairs something must not look at what was true a moment ago.
"""

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import IntegerField, Model, Q, QuerySet, UUIDField
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.functional import cached_property
from unfold.admin import ModelAdmin, TabularInline

from resilience.list_export import as_csv

# Who may act on rows.
OPERATE = "resilience.operate"

# A list counts up to this many rows and offers no page beyond: counting millions takes seconds, and
# nobody turns a hundred pages. Who looks for something older filters or searches.
ROWS_COUNTED_MAX = 10_000
# A page of history shows this much of its end.
INLINE_ROWS_MAX = 200


class BoundedPaginator(Paginator):
    """Pages over the first `ROWS_COUNTED_MAX` rows."""

    @cached_property
    def count(self) -> int:
        """Return how many rows there are, at most `ROWS_COUNTED_MAX`."""
        rows: QuerySet[Model] = self.object_list  # type: ignore[assignment]
        return rows.order_by()[:ROWS_COUNTED_MAX].count()


class ReadOnly:
    """Lets nobody add, change or delete; who may view is Django's to say."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Return False."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Return False."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Return False."""
        return False


class ReadOnlyAdmin(ReadOnly, ModelAdmin):
    """Lists and pages of one model, from the primary.

    `search_fields` are searched for equality, each where the words can be a value of it: that is
    what the indexes can answer. `acts` are what operators may do to rows, as (name, title): a button on a
    row's page, and a choice for those ticked in the list; the dashboard asks, and does it.
    """

    actions = None
    acts: tuple[tuple[str, str], ...] = ()
    # Columns that may be large and that no list shows: an export of thousands of rows leaves them out.
    not_listed: tuple[str, ...] = ()
    list_before_template = "resilience/list_tools.html"
    change_form_outer_before_template = "resilience/row_acts.html"
    list_per_page = 50
    paginator = BoundedPaginator
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the rows, from the primary."""
        return super().get_queryset(request).using("default")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Return the rows of which some search field equals `search_term`."""
        term = search_term.strip()
        if not term:
            return queryset, False
        matches = [
            Q(**{name: value})
            for name in self.get_search_fields(request)
            if (value := _as_value_of(self.opts.get_field(str(name)), term)) is not None
        ]
        if not matches:
            return queryset.none(), False
        return queryset.filter(Q(*matches, _connector=Q.OR)), False

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Return the acts that whoever asks may do to the rows that are ticked."""
        if not request.user.has_perm(OPERATE):
            return {}
        return {name: (_ask_for(name), name, title) for name, title in self.acts}

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list, or hand what is ticked to an act; refuse any other POST."""
        if request.method not in ("GET", "HEAD") and request.POST.get("action") not in self.get_actions(
            request
        ):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        return super().changelist_view(request, extra_context)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Show the row, and the acts on it."""
        acts = [
            {"title": title, "address": address_of_act(name, [object_id or ""], back=request.get_full_path())}
            for name, title in self.acts
            if request.user.has_perm(OPERATE)
        ]
        context = (extra_context or {}) | {"row_acts": acts}
        return super().changeform_view(request, object_id, form_url, context)

    def get_urls(self) -> list[URLPattern]:
        """Return the addresses, with one for the list as a file."""
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        export = path("export.csv", self.admin_site.admin_view(self.export_view), name=name)
        return [export, *super().get_urls()]

    def export_view(self, request: HttpRequest) -> HttpResponse:
        """Answer the rows that the list would show with these filters, as CSV; ROWS_COUNTED_MAX at most."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            changelist = self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            return HttpResponse("These filters do not fit this list.", status=400)
        return HttpResponse(
            as_csv(changelist, rows_max=ROWS_COUNTED_MAX, without=self.not_listed),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{self.opts.model_name}.csv"'},
        )


def address_of_act(name: str, ids: Iterable[str], *, back: str) -> str:
    """Return where the act is asked for; the dashboard's own address, for no room imports from its left."""
    return f"{reverse('dashboard:act', args=[name])}?{urlencode({'id': list(ids), 'next': back}, doseq=True)}"


def _ask_for(name: str) -> Callable[[object, HttpRequest, QuerySet[Any]], HttpResponse]:
    def ask(_admin: object, request: HttpRequest, _rows: QuerySet[Any]) -> HttpResponse:
        ids = request.POST.getlist(ACTION_CHECKBOX_NAME)
        return HttpResponseRedirect(address_of_act(name, ids, back=request.get_full_path()))

    return ask


class ReadOnlyInline(ReadOnly, TabularInline):
    """The last rows that belong to the row shown, from the primary."""

    can_delete = False
    extra = 0
    max_num = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return at most `INLINE_ROWS_MAX` rows, the newest."""
        rows = super().get_queryset(request).using("default")
        match = request.resolver_match
        of_parent = {self._foreign_key(): match.kwargs["object_id"]} if match else {}
        newest = rows.filter(**of_parent).order_by("-pk").values("pk")[:INLINE_ROWS_MAX]
        return rows.filter(pk__in=newest).order_by("pk")

    def _foreign_key(self) -> str:
        return next(
            field.attname
            for field in self.model._meta.concrete_fields
            if field.related_model is self.parent_model
        )


def filter_by(
    name: str, values: Callable[[], Iterable[str]], *, title: str = ""
) -> type[admin.SimpleListFilter]:
    """Return a filter on column `name` that offers `values`.

    Django's own would ask the table for its distinct values each time, all of it.
    """

    class Filter(admin.SimpleListFilter):
        parameter_name = name

        def lookups(self, _request: HttpRequest, _model_admin: object) -> list[tuple[str, str]]:
            return [(value, value) for value in values()]

        def queryset(self, _request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
            return rows.filter(**{name: self.value()}) if self.value() is not None else rows

    Filter.title = title or name.replace("_", " ")
    return Filter


def _as_value_of(field: object, term: str) -> object:
    """Return `term` as a value of `field`; None when it cannot be one."""
    if isinstance(field, UUIDField):
        try:
            return UUID(term)
        except ValueError:
            return None
    if isinstance(field, IntegerField):
        return int(term) if term.isascii() and term.isdigit() and len(term) <= 18 else None
    return term
