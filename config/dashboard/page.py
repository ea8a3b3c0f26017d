"""A page of the dashboard: who may see it, and the admin's frame around it."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

# Who may act, of those who may see.
OPERATE = "resilience.operate"
View = Callable[..., HttpResponseBase]
Context = Callable[..., dict[str, Any]]


def page(template: str, *, title: str, permission: str) -> Callable[[Context], View]:
    """Make a view of a function that returns what the template shows, for staff with `permission`.

    The function gets the request and what the address names. Its "title" wins over `title`; a "status" in
    it is the answer's.
    """

    def decorate(context_of: Context) -> View:
        @require_safe
        def view(request: HttpRequest, **named: Any) -> HttpResponseBase:
            require(request, permission)
            context = admin.site.each_context(request) | {"title": title} | context_of(request, **named)
            return TemplateResponse(request, template, context, status=context.get("status"))

        shown: View = admin.site.admin_view(view)
        return shown

    return decorate


def require(request: HttpRequest, permission: str) -> None:
    """Raise PermissionDenied unless whoever asks has `permission`."""
    if not request.user.has_perm(permission):
        raise PermissionDenied(f"This needs the permission {permission}.")
