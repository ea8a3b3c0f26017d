"""What a key may do: each view names a permission per method; what is not named is denied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from resilience.apikeys.authentication import Principal

if TYPE_CHECKING:  # importing a view imports DRF's default permission: this module
    from rest_framework.views import APIView


class HasPermission(BasePermission):
    """Allow a method whose permission, named in the view's `required_permissions`, the key has."""

    code = "permission_denied"

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Tell whether the caller may; a view or method that declares nothing is denied."""
        if not isinstance(request.user, Principal):
            return False
        method = "GET" if request.method == "HEAD" else request.method
        if method == "OPTIONS" or method not in view.allowed_methods:
            return True  # nothing runs: dispatch answers 405 with Allow
        needed = required_permission(view, method)
        if needed is None or needed not in request.user.permissions:
            self.message = f"This API key lacks the permission {needed}." if needed else "Nobody may do this."
            return False
        return True


def required_permission(view: APIView, method: str) -> str | None:
    """Return the permission that a view declares for a method, None if it declares none."""
    declared: Mapping[str, str] = getattr(view, "required_permissions", {})
    return declared.get(method)
